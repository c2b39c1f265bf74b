from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from bench.plans import SPEC, plan_at, service_of
from merit.api.validation import Invalid
from merit.evidence.constants import Constants
from merit.evidence.counts import ArmPair, Counts, Sample
from merit.simulate.kinds import BAD_DAYS, DEFECTS, HEALTHY, LATER, TURNS, Kind
from merit.simulate.plan import plan
from merit.simulate.rollout import run
from merit.simulate.world import BEGIN, World

PHI = {"errors": 1.7, "latency/p99": 1.7}
CLEAN, FAILING, DEAD = HEALTHY[0], DEFECTS[1], DEFECTS[2]


def course(kind, *, rps=200, seed=1, horizon=3600.0, phi=PHI, rollout=None, picture=False):
    found = plan_at(rps, rollout=rollout)
    return run(found, service_of(found), kind, phi=phi, seed=seed, horizon=horizon, picture=picture)


def test_a_healthy_version_walks_the_whole_ladder_and_is_promoted_after_the_holdback():
    went = course(CLEAN)
    assert went.ending == "promoted" and went.reason == "Promoted"
    assert list(went.reached) == [1, 5, 10, 25, 50, 90, 100]
    assert went.reached[90] >= 300 and went.promoted == went.reached[90] + 900


def test_no_step_is_entered_before_its_dwell():
    found = plan_at(2000, scrape=5.0)  # two looks, which it takes as well, are 10 s here
    went = run(found, service_of(found), CLEAN, phi=PHI, seed=1, horizon=600.0)
    assert min(b - a for a, b in pairwise(went.reached.values())) >= 30


def test_declared_steps_are_walked_and_a_quiet_service_begins_higher():
    assert list(course(CLEAN, rollout={"steps": [20, 40]}).reached) == [20, 40, 90, 100]
    assert min(course(CLEAN, rps=20, horizon=600).reached) == 5


def test_a_failing_version_is_rolled_back_and_then_serves_nothing_more():
    went = course(FAILING)
    assert went.ending == "rolled back" and went.ended <= 180
    assert "requests failed" in went.message
    longer = course(FAILING, horizon=7200.0)
    assert longer.bad == went.bad and longer.requests == went.requests


def test_a_dead_version_is_found_at_the_first_scrape():
    went = course(DEAD)
    assert (went.reason, went.ended) == ("DeadOnArrival", 15.0)
    assert went.bad["errors"] <= went.requests <= 200 * 0.01 * 20 * 2


def test_latency_counts_from_the_first_scrape_that_began_after_the_warm_up():
    """A scrape of 15 s that is read at second 30 tells of cold caches; the one at 45 does not."""
    found, counted = plan_at(200), []
    world = World(found, PHI)
    world.decide(0.0, sample=Sample(BEGIN, None, {}))
    counts = Counts(100, 0), Counts(900, 0)
    pair = ArmPair(*counts, *counts)
    for now in (15.0, 30.0, 45.0):
        at = BEGIN + now
        world.decide(now, sample=Sample(at, at - 15.0, {bar.name: pair for bar in found.bars}))
        counted.append([s["canary"] for s in world.status.analysis["signals"]])
    assert counted == [["100 0", "0 0"], ["200 0", "0 0"], ["300 0", "100 0"]]


def test_what_is_promoted_with_a_defect_goes_on_to_be_counted():
    tiny = Kind("tiny", errors=0.0012)
    short, long = (course(tiny, horizon=h) for h in (1800.0, 3600.0))
    assert short.ending == long.ending == "promoted"
    assert long.bad["errors"] > 1.8 * short.bad["errors"]


def test_a_defect_that_begins_after_promotion_is_found_by_the_watch_and_confirmed_by_a_probe():
    late = Kind("late", leak=(1500.0, 1800.0, 0.05))
    went = course(late, horizon=3600.0, picture=True)
    assert went.promoted == 1200.0 and went.ending == "rolled back"
    assert 1500 < went.ended < 2400 and went.reason.startswith("Errors")
    shared = {m.weight for m in went.moments if m.t > went.promoted}
    assert shared == {100, 50, 0}


def test_what_turns_once_it_is_promoted_is_counted_from_then_on_and_taken_back():
    went = course(LATER[1], rps=20)
    assert went.ending == "rolled back" and went.promoted == 0
    assert TURNS < went.ended < TURNS + 600
    assert 0 < went.bad["errors"] < 0.1 * 20 * (went.ended - TURNS)
    assert course(LATER[1], rps=20, horizon=TURNS).bad["errors"] == 0


@pytest.mark.parametrize("kind", BAD_DAYS, ids=lambda kind: kind.name)
def test_a_bad_day_of_both_revisions_is_blamed_on_nobody(kind):
    went = course(kind)
    assert went.ending == "promoted"
    assert went.bad["errors"] > 0.04 * 200 * 3000


def test_without_measured_dispersion_the_same_defect_takes_longer():
    assert course(FAILING, phi={}).ended > course(FAILING).ended


def test_inconclusive_rollouts_end_as_the_spec_says():
    def at_last(answer):
        rollout = {"maxDuration": "6m", "onInconclusive": answer}
        return course(HEALTHY[3], rps=1, horizon=900.0, rollout=rollout)

    assert at_last("Hold").ending == "held"
    assert (at_last("Promote").ending, at_last("Promote").ended) == ("promoted", 360.0)
    assert at_last("Withdraw").ending == "withdrawn"
    assert at_last("Rollback").reason == "Inconclusive"


def test_the_same_seed_is_the_same_rollout():
    a, b = (course(FAILING, seed=5, picture=True) for _ in range(2))
    assert (a.ended, a.bad, a.moments) == (b.ended, b.bad, b.moments)
    assert course(FAILING, seed=6).bad != a.bad


def test_the_picture_shows_weight_and_evidence_at_every_scrape():
    went = course(FAILING, picture=True)
    assert [m.t for m in went.moments] == [15.0 * (i + 1) for i in range(len(went.moments))]
    assert went.moments[-1].weight == 0 and went.moments[-1].evidence >= 4.6


def test_evidence_that_another_version_of_merit_wrote_is_begun_anew_and_never_in_the_way():
    world = World(plan_at(200), PHI)
    world.decide(0.0, sample=Sample(BEGIN, None, {}))
    status = world.seen.status
    assert status.analysis is not None and status.candidate.weight == 1
    old = status.analysis | {"signals": [{"name": "errors", "logs": ["1", "2"]}]}
    world.seen = replace(world.seen, status=status.model_copy(update={"analysis": old}))
    world.decide(15.0, sample=Sample(BEGIN + 15, BEGIN, {}))
    kept = world.seen.status.analysis
    assert [s["name"] for s in kept["signals"]] == ["errors", "latency/p99"]
    assert kept["signals"][0]["phi"] == "1.7"


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
