"""The exact name of a signal reaches the response: never its kind, never a guess."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.plans import SPEC, service_of
from merit.policy.decide import decide
from merit.policy.report.alerts import alerts
from merit.policy.state.decision import Decision
from merit.policy.state.observed import Observed
from merit.policy.state.times import stamp
from merit.simulate.plan import plan
from merit.simulate.rollout import Outcome, simulate_rollout
from merit.simulate.scenarios import Scenario
from merit.stats.counts import Sample
from merit.stats.terms import Constants
from tests.policy.builders import NOW, canary, counted, spec, with_parts

BARS = {"errors": {"max": "1%"}, "latency": {"p50": "500ms", "p99": "120ms"}}
MODES = {
    "median": {"name": "median", "signal": "latency/p50", "response": "Alert"},
    "tail": {"name": "tail", "signal": "latency/p99", "response": "Rollback"},
    "errors": {"name": "failing", "signal": "errors", "response": "Alert"},
}


def course(scenario: Scenario, *modes: str) -> Outcome:
    raw = {
        **SPEC,
        "constraints": {**SPEC["constraints"], **BARS},
        "failureModes": [MODES[mode] for mode in modes],
    }
    found = plan(raw, name="fraud-scorer", rps=500.0, constants=Constants())
    return simulate_rollout(found, service_of(found), scenario, phi={}, seed=1, horizon=900.0)


@pytest.mark.parametrize("modes", [("median", "tail"), ("tail", "median")])
def test_the_order_of_failure_modes_never_decides_what_becomes_of_a_slow_tail(
    modes: tuple[str, str],
) -> None:
    went = course(Scenario("p99 x3", slower=3.0), *modes)
    assert went.ending == "rolled back" and went.ended <= 90
    assert went.reason.startswith("Latency")


@pytest.mark.parametrize("modes", [("errors", "tail"), ("tail", "errors")])
def test_a_signal_that_rolls_back_is_never_hidden_by_a_worse_one_that_alerts(
    modes: tuple[str, str],
) -> None:
    went = course(Scenario("fails and is slow", errors=0.2, slower=3.0), *modes)
    assert went.ending == "rolled back" and went.ended <= 120 and went.reason.startswith("Latency")


def test_a_signal_that_alerts_takes_no_traffic_back() -> None:
    went = course(Scenario("fails", errors=0.05), "errors", "tail")
    assert went.ending != "rolled back"


def exposed(*modes: str, bad: tuple[str, ...]) -> Observed:
    """A candidate past its warm-up; all of its requests are bad for the named signals."""
    raw = spec(constraints=BARS, failureModes=[MODES[mode] for mode in modes])
    seen = canary(raw, since=stamp(NOW - 600), rollout_since=stamp(NOW - 600))
    sample = counted(seen)
    slow = counted(seen, failed=100).signals
    signals = {n: slow[n] if n in bad else pair for n, pair in sample.signals.items()}
    return with_parts(seen, sample=replace(sample, signals=signals))


def judged(seen: Observed, scrapes: int = 6) -> Decision:
    """The decision after so many scrapes that are all the same, or the first one that is urgent."""
    decision = decide(seen, NOW)
    sample = seen.measurements.sample
    assert isinstance(sample, Sample)
    for i in range(1, scrapes):
        if decision.urgent:
            break
        at = sample.at + 15 * i
        newer = replace(sample, at=at, since=at - 15)
        seen = with_parts(replace(seen, status=decision.status), sample=newer)
        decision = decide(seen, NOW + 15 * i)
    return decision


@pytest.mark.parametrize("modes", [("median", "tail"), ("tail", "median")])
def test_the_alert_about_a_candidate_carries_the_exact_name_of_its_signal(
    modes: tuple[str, str],
) -> None:
    seen = exposed(*modes, bad=("latency/p50",))
    status = judged(seen).status
    assert status.candidate is not None and status.candidate.weight == 10
    (alert,) = (a for a in alerts(seen, status, NOW) if a.labels["who"] == "candidate")
    assert alert.labels["signal"] == "latency/p50"
    assert alert.annotations["failure_mode"] == "median"


def test_of_two_bad_signals_the_one_with_the_gravest_response_decides() -> None:
    both = judged(exposed("median", "tail", "errors", bad=("latency/p50", "latency/p99")))
    assert both.status.candidate is None and both.status.rejected[0].reason == "LatencyWorse"
    held = judged(exposed("errors", "tail", bad=("errors",)))
    assert held.status.candidate is not None and not held.status.rejected


def test_a_rollback_rests_on_evidence_about_the_signal_that_asks_for_it() -> None:
    """The combined evidence is far beyond its threshold, and none of it is about the tail."""
    status = judged(exposed("median", "tail", bad=("latency/p50",)), scrapes=40).status
    assert status.candidate is not None and not status.rejected
    rollout = status.stage("Rollout")
    assert rollout is not None and (rollout.verdict, rollout.signal) == ("Bad", "latency/p50")
