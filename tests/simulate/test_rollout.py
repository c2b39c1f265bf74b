from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from bench.plans import SPEC, plan_at, service_of
from merit.api.status import Status
from merit.api.validation import Invalid
from merit.simulate.cluster import BEGIN, SimulatedCluster
from merit.simulate.plan import plan
from merit.simulate.rollout import simulate_rollout
from merit.simulate.scenarios import (
    DEFECTS,
    HEALTHY,
    HEALTHY_SECONDS,
    LATE_DEFECTS,
    SHARED_DEFECTS,
    Scenario,
)
from merit.stats.counts import ArmPair, Counts, Sample
from merit.stats.terms import Constants

PHI = {"errors": 1.7, "latency/p99": 1.7}
CLEAN, FAILING, DEAD = HEALTHY[0], DEFECTS[1], DEFECTS[2]


def simulated(scenario, *, rps=200, seed=1, horizon=3600.0, phi=PHI, rollout=None, snapshots=False):
    found = plan_at(rps, rollout=rollout)
    return simulate_rollout(
        found, service_of(found), scenario, phi=phi, seed=seed, horizon=horizon, snapshots=snapshots
    )


def test_a_healthy_version_enters_every_step_and_is_promoted_after_the_holdback():
    result = simulated(CLEAN)
    assert result.ending == "promoted" and result.reason == "Promoted"
    assert list(result.reached) == [1, 5, 10, 25, 50, 90, 100]
    assert result.reached[90] >= 300 and result.promoted == result.reached[90] + 900


def test_a_signal_that_is_not_simulated_holds_nothing():
    raw = {**SPEC, "goal": {**SPEC["goal"], "kpi": {"query": "sum(x)", "min": "1"}}}
    mode = {"name": "goal", "signal": "kpi", "response": "Hold"}
    raw["failureModes"] = [*SPEC["failureModes"], mode]
    found = plan(raw, name="fraud", rps=200, constants=Constants())
    result = simulate_rollout(found, service_of(found), CLEAN, phi=PHI, seed=1, horizon=3600.0)
    assert result.ending == "promoted"


def test_no_step_is_entered_before_its_dwell():
    found = plan_at(2000, scrape=5.0)  # two looks, which it takes as well, are 10 s here
    result = simulate_rollout(found, service_of(found), CLEAN, phi=PHI, seed=1, horizon=600.0)
    assert min(b - a for a, b in pairwise(result.reached.values())) >= 30


def test_declared_steps_are_entered_and_low_traffic_starts_at_a_higher_step():
    assert list(simulated(CLEAN, rollout={"steps": [20, 40]}).reached) == [20, 40, 90, 100]
    assert min(simulated(CLEAN, rps=20, horizon=600).reached) == 5


def test_a_failing_version_is_rolled_back_and_then_serves_nothing_more():
    result = simulated(FAILING)
    assert result.ending == "rolled back" and result.ended <= 180
    assert "requests failed" in result.message
    longer = simulated(FAILING, horizon=7200.0)
    assert longer.bad == result.bad and longer.requests == result.requests


def test_an_early_failure_is_found_at_the_first_scrape():
    result = simulated(DEAD)
    assert (result.reason, result.ended) == ("DeadOnArrival", 15.0)
    assert result.bad["errors"] <= result.requests <= 200 * 0.01 * 20 * 2


def test_latency_counts_from_the_first_scrape_that_began_after_the_warm_up():
    """A scrape of 15 s that is read at second 30 tells of cold caches; the one at 45 does not."""
    found, counted = plan_at(200), []
    cluster = SimulatedCluster(found, PHI)
    cluster.decide(0.0, sample=Sample(BEGIN, None, {}))
    counts = Counts(100, 0), Counts(900, 0)
    pair = ArmPair(*counts, *counts)
    for now in (15.0, 30.0, 45.0):
        at = BEGIN + now
        cluster.decide(now, sample=Sample(at, at - 15.0, {bar.name: pair for bar in found.bars}))
        counted.append([s.canary for s in cluster.status.analysis.signals])
    assert counted == [["100 0", "0 0"], ["200 0", "0 0"], ["300 0", "100 0"]]


def test_what_is_promoted_with_a_defect_goes_on_to_be_counted():
    tiny = Scenario("tiny", errors=0.0012)
    short, long = (simulated(tiny, horizon=h) for h in (1800.0, 3600.0))
    assert short.ending == long.ending == "promoted"
    assert long.bad["errors"] > 1.8 * short.bad["errors"]


def test_a_defect_after_promotion_is_found_live_and_confirmed_by_a_comparison():
    late = Scenario("late", leak=(1500.0, 1800.0, 0.05))
    result = simulated(late, horizon=3600.0, snapshots=True)
    assert result.promoted == 1200.0 and result.ending == "rolled back"
    assert 1500 < result.ended < 2400 and result.reason.startswith("Errors")
    shared = {m.weight for m in result.snapshots if m.t > result.promoted}
    assert shared == {100, 50, 0}


def test_a_defect_after_promotion_is_counted_from_its_beginning_and_rolled_back():
    result = simulated(LATE_DEFECTS[1], rps=20)
    assert result.ending == "rolled back" and result.promoted == 0
    assert HEALTHY_SECONDS < result.ended < HEALTHY_SECONDS + 600
    assert 0 < result.bad["errors"] < 0.1 * 20 * (result.ended - HEALTHY_SECONDS)
    assert simulated(LATE_DEFECTS[1], rps=20, horizon=HEALTHY_SECONDS).bad["errors"] == 0


@pytest.mark.parametrize("scenario", SHARED_DEFECTS, ids=lambda scenario: scenario.name)
def test_a_defect_of_both_revisions_causes_no_rollback(scenario):
    result = simulated(scenario)
    assert result.ending == "promoted"
    assert result.bad["errors"] > 0.04 * 200 * 3000


def test_without_measured_dispersion_the_same_defect_takes_longer():
    assert simulated(FAILING, phi={}).ended > simulated(FAILING).ended


def test_inconclusive_rollouts_end_as_the_spec_says():
    def at_last(answer):
        rollout = {"maxDuration": "6m", "onInconclusive": answer}
        return simulated(HEALTHY[3], rps=1, horizon=900.0, rollout=rollout)

    assert at_last("Hold").ending == "held"
    assert (at_last("Promote").ending, at_last("Promote").ended) == ("promoted", 360.0)
    assert at_last("Withdraw").ending == "withdrawn"
    assert at_last("Rollback").reason == "Inconclusive"


def test_the_same_seed_is_the_same_rollout():
    a, b = (simulated(FAILING, seed=5, snapshots=True) for _ in range(2))
    assert (a.ended, a.bad, a.snapshots) == (b.ended, b.bad, b.snapshots)
    assert simulated(FAILING, seed=6).bad != a.bad


def test_the_snapshots_show_weight_and_evidence_at_every_scrape():
    result = simulated(FAILING, snapshots=True)
    assert [m.t for m in result.snapshots] == [15.0 * (i + 1) for i in range(len(result.snapshots))]
    assert result.snapshots[-1].weight == 0 and result.snapshots[-1].evidence >= 4.6


def test_evidence_of_another_version_of_merit_starts_anew():
    cluster = SimulatedCluster(plan_at(200), PHI)
    cluster.decide(0.0, sample=Sample(BEGIN, None, {}))
    status = cluster.observed.status
    assert status.analysis is not None and status.candidate.weight == 1
    stored = status.to_dict()
    stored["analysis"]["signals"] = [{"name": "errors", "logs": ["1", "2"]}]
    cluster.observed = replace(cluster.observed, status=Status.model_validate(stored))
    cluster.decide(15.0, sample=Sample(BEGIN + 15, BEGIN, {}))
    kept = cluster.observed.status.analysis
    assert [s.name for s in kept.signals] == ["errors", "latency/p99"]
    assert kept.signals[0].phi == "1.7"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"goal": None}, "spec.goal"),
        ({"constraints": SPEC["constraints"]}, "spec.constraints.scale.rps"),
        (
            {
                "constraints": {
                    "cost": {"perHour": "1", "currency": "USD"},
                    "scale": {"rps": 5, "replicas": {"min": 1, "max": 1}},
                },
                "failureModes": [{"name": "cost", "signal": "cost", "response": "Alert"}],
            },
            "spec.constraints",
        ),
    ],
)
def test_what_cannot_be_simulated_is_refused_in_one_sentence(change, field):
    found = plan(SPEC | change, name="bench", rps=None, constants=Constants())
    assert isinstance(found, Invalid) and found.field == field and found.remedy
