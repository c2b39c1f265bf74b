"""The guarantee in short: a few seconds of what `make bench` measures at length.

The counts are small, so the bounds are loose and said so; seeds are fixed, so they are exact.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.guarantee import joined
from bench.peers import follow, rules
from bench.plans import plan_at, service_of
from merit.simulate.cluster import SimulatedCluster
from merit.simulate.rollout import simulate_rollout
from merit.simulate.scenarios import DEFECTS, HEALTHY, Scenario
from merit.simulate.service import default_service
from merit.simulate.study import Study
from merit.simulate.traffic import Traffic, pod_history
from merit.stats import bounds
from merit.stats.analysis import Analysis
from merit.stats.counts import ArmPair, Counts, Sample
from merit.stats.dispersion import dispersion
from merit.stats.terms import Constants, Terms
from tests.stats.traffic import BARS, START, STEPS, pair, terms

PLAN = plan_at(200)
SERVICE = service_of(PLAN)


def test_no_healthy_rollout_of_any_kind_is_rolled_back():
    """0 of 18 bounds the rate to 23 % (99 %) only; the grid of the bench is what bounds it."""
    fates = []
    for scenario in HEALTHY:
        for rps in (20, 200):
            found = plan_at(rps)
            study = Study(found, service_of(found), scenario, seed=3, horizon=600.0)
            fates += [course.ending for course in study.rollouts([0])]
    assert fates.count("rolled back") == 0
    assert bounds.upper_bound(0, len(fates), 0.01) < 0.24


@pytest.mark.parametrize(
    ("number", "rps", "bad", "within"),
    [(0, 2000, 64, 300), (1, 20, 6.7, 600), (1, 200, 11, 180), (2, 200, 40, 15), (2, 20, 21, 15),
     (4, 200, 18, 180)],
)  # fmt: skip
def test_defects_are_caught_after_about_as_many_bad_requests_as_the_tables_say(
    number, rps, bad, within
):
    """Means of 8 runs: they may lie 50 % beside the tables, which are means of hundreds."""
    found = plan_at(rps)
    study = Study(found, service_of(found), DEFECTS[number], seed=4, horizon=1800.0)
    rollouts = list(study.rollouts(range(8)))
    result = study.summarise(rollouts)
    assert result.rolled_back == 8 and result.caught_after <= within
    assert 0.5 * bad <= result.bad <= 1.5 * bad


def test_invocations_with_other_seeds_add_up_and_none_counts_twice():
    def part(seed, false):
        return [{"scenario": {"name": "clean"}, "rps": 20.0, "seed": seed, "rolled_back": false,
                 "runs": 2000}]  # fmt: skip

    history = joined([part(1, 0), part(2, 1), part(3, 0)])
    assert "| clean | 1 of 6000 |" in history
    assert history.endswith("1 in 6,000: the rate is at most 0.111% (99 %).")
    with pytest.raises(ValueError, match="count twice"):
        joined([part(1, 0), part(1, 0)])


def fixed_weight(scenario, *, phi, seed, service=SERVICE, scrape=15.0, weight=0.1, minutes=15):
    """Whether the engine alone blames a candidate that is held at one weight."""
    constants = Constants(scrape=scrape)
    engine = Analysis(
        service.bars,
        Terms(STEPS, confidence=0.99, blast_radius=0.01, constants=constants, rps=200.0, phi=phi),
    )
    traffic, ticks = Traffic(scenario, service, 200, seed), round(scrape / 5)
    engine.observe(Sample(START, None, {}), weight_changed=False, warming=False)
    for k in range(round(minutes * 60 / scrape)):
        n, bad = [0, 0], [[0, 0] for _ in service.bars]
        for i in range(ticks):
            tick = traffic.step(k * scrape + i * 5.0, weight)
            n = [a + b for a, b in zip(n, tick.n, strict=True)]
            bad = [[a + b for a, b in zip(x, y, strict=True)]
                   for x, y in zip(bad, tick.bad, strict=True)]  # fmt: skip
        signals = {}
        for bar, (mine, theirs) in zip(service.bars, bad, strict=True):
            c, s = Counts(n[0], mine), Counts(n[1], theirs)
            signals[bar.name] = ArmPair(c, s, c, s)
        at = START + scrape * (k + 1)
        engine.observe(
            Sample(at, at - scrape, signals), weight_changed=False, warming=k * scrape < 30
        )
        if engine.worse().bad:
            return True
    return False


def blamed(scenario, *, phi, runs, **more):
    return sum(fixed_weight(scenario, phi=phi, seed=f"{scenario}/{i}", **more) for i in range(runs))


def learnt(scenario, seed=1):
    history = pod_history(scenario, SERVICE, 200, seed)
    return {name: dispersion(counts) for name, counts in history.items()}


@pytest.mark.parametrize("size", [4, 10, 30])
def test_bursts_in_one_pod_cause_no_rollback_once_dispersion_is_measured(size):
    scenario = Scenario(f"bursts of {size}", burst=size)
    assert blamed(scenario, phi=learnt(scenario), runs=15, weight=0.25) == 0


def test_without_the_correction_for_bursts_healthy_versions_are_rolled_back():
    """What the correction is for: were it to do nothing, the test above would fail like this."""
    scenario = Scenario("bursts of 10", burst=10)
    ones = {bar.name: 1.0 for bar in SERVICE.bars}
    assert blamed(scenario, phi=ones, runs=30, weight=0.25) / 30 > 0.10


ILL = replace(SERVICE, shares={"errors": 0.05, "latency/p99": 0.0037})
PHI = {"errors": 1.7, "latency/p99": 1.7}


@pytest.mark.parametrize(
    "scenario", [Scenario("both at 5%"), Scenario("a hotfix at 2%", errors=0.02)]
)
def test_a_failing_stable_causes_no_rollback_of_the_candidate(scenario):
    assert blamed(scenario, phi=PHI, runs=12, service=ILL) == 0


@pytest.mark.parametrize("seconds", [5.0, 10.0, 20.0])
def test_a_hiccup_shorter_than_patience_causes_no_rollback(seconds):
    scenario = Scenario("hiccup", hiccup=0.6, hiccup_seconds=seconds)
    assert blamed(scenario, phi=PHI, runs=12, scrape=5.0) == 0


def test_a_minute_of_slowness_is_rolled_back():
    scenario = Scenario("slow", hiccup=0.6, hiccup_seconds=60.0)
    assert blamed(scenario, phi=PHI, runs=6, scrape=5.0) == 6


def test_the_rules_of_other_tools_see_the_same_traffic():
    """What they are in the tables for: more false alarms, or far more bad requests."""
    peers = rules(SERVICE)
    noisy = [follow(peers["Argo Rollouts, failureLimit 0"](), HEALTHY[1], SERVICE, 20, f"{i}")
             for i in range(6)]  # fmt: skip
    assert sum(fate.caught is not None for fate in noisy) >= 3
    patient = [follow(peers["Flagger, 1m, threshold 10, step 5"](), DEFECTS[1], SERVICE, 200,
                      f"{i}") for i in range(6)]  # fmt: skip
    assert mean(fate.bad for fate in patient) > 200


def test_a_rollout_goes_through_the_operators_own_decide():
    course = simulate_rollout(PLAN, SERVICE, DEFECTS[1], phi=PHI, seed=9, horizon=600.0)
    assert course.ending == "rolled back"
    world = SimulatedCluster(PLAN, PHI)
    world.decide(0.0, sample=Sample(START, None, {}))
    assert world.status.conditions and world.status.flow and world.status.decisions
    assert default_service(PLAN.bars) == SERVICE


events = st.lists(
    st.sampled_from(["scrape", "killed", "conflict", "two leaders", "replayed", "missed"]),
    min_size=3,
    max_size=14,
)
counts = st.tuples(st.integers(0, 300), st.integers(0, 300)).map(lambda x: (max(x), min(x)))


@settings(max_examples=40, deadline=None)
@given(events=events, data=st.data())
def test_whatever_happens_between_two_scrapes_no_request_counts_twice_and_none_is_lost(
    events, data
):
    """State lives in status alone: a kill, a lost write, a second leader, an old look, a gap."""
    stored, at, history = None, START, []
    pending = {bar.name: [Counts(), Counts()] for bar in BARS}
    sample = Sample(START, None, {})

    def step(state, look):
        engine = (
            Analysis(BARS, terms(40.0))
            if state is None
            else Analysis.restore(json.loads(json.dumps(state)), BARS, terms(40.0))
        )
        engine.observe(look, weight_changed=False, warming=False)
        return engine.to_status()

    stored = step(stored, sample)
    true = {bar.name: [Counts(), Counts()] for bar in BARS}
    consumed = START
    for event in events:
        at += 5.0
        for bar in BARS:
            for arm in (0, 1):
                n, bad = data.draw(counts)
                true[bar.name][arm] += Counts(n, bad)
                pending[bar.name][arm] += Counts(n, bad)
        if event == "missed":
            continue  # no sample: the next increase covers it
        signals = {name: pair((c.n, c.bad), (s.n, s.bad)) for name, (c, s) in pending.items()}
        sample = Sample(at, consumed, signals)
        after = step(stored, sample)
        if event == "two leaders":
            assert step(stored, sample) == after  # the second write conflicts, and says the same
        if event == "conflict":
            continue  # nothing was written: the next pass reads from the stored state on
        stored, consumed = after, at
        pending = {bar.name: [Counts(), Counts()] for bar in BARS}
        if event == "replayed":
            assert step(stored, sample) == stored
        history.append(stored)
    final = step(stored, Sample(at + 5.0, consumed, {
        name: pair((c.n, c.bad), (s.n, s.bad)) for name, (c, s) in pending.items()}))  # fmt: skip
    for signal in final["signals"]:
        mine, theirs = true[signal["name"]]
        assert [float(x) for x in signal["canary"].split()] == [mine.n, mine.bad]
        assert [float(x) for x in signal["stable"].split()] == [theirs.n, theirs.bad]
    assert math.isfinite(float(final["evidence"]))
