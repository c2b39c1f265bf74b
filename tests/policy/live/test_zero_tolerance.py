"""Whom an event of what must never happen is blamed on, and whom it is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from merit.api.status import Rejection
from merit.policy.decide import decide
from merit.policy.live.zero_tolerance import event_under_live, events, judge_zero_tolerance
from merit.policy.signals.thresholds import threshold_signals
from merit.policy.state.observed import Observed
from merit.policy.state.times import stamp
from merit.stats.counts import NoSample
from tests.policy.builders import NOW, in_canary, observed, spec

NAME = "signals/leaks"


def declared(query: str = "sum(leaks)", response: str = "Rollback", most: str = "0") -> dict:
    return spec(
        monitoring={"signals": [{"name": "leaks", "query": query, "max": most}]},
        failureModes__0={"name": "leaks", "signal": NAME, "response": response},
    )


def read(seen: Observed, *values: float, ended: float = NOW, every: float = 30.0) -> Observed:
    """The newest readings, oldest first."""
    first = ended - every * (len(values) - 1)
    told = tuple((first + every * i, value) for i, value in enumerate(values))
    return replace(seen, measurements=replace(seen.measurements, readings={NAME: told}))


def canary(**more: str) -> Observed:
    """At 10 % for a hundred seconds."""
    raw = declared(**more)
    return in_canary(observed(raw), {**raw, "model": {**raw["model"], "version": "3"}})


def blamed(seen: Observed) -> bool:
    found = judge_zero_tolerance(seen, NOW)
    return found is not None and found.status.rejected[0].reason == "ZeroTolerance"


def test_a_candidate_is_blamed_for_what_happened_while_it_had_traffic_and_on_scores_lane():
    seen = read(canary(), 0, 0, 1)
    assert blamed(seen) and decide(seen, NOW).scored
    assert not blamed(read(canary(), 0, 1, 1, 1, 1, 1))  # it was there before the first request
    assert not blamed(read(canary(), 0, 0, 0))


@pytest.mark.parametrize("more", [{"response": "Alert"}, {"response": "Hold"}, {"most": "1"}])
def test_only_zero_with_rollback_is_one_event_too_many(more):
    seen = read(canary(**more), 0, 0, 2)
    assert not blamed(seen) and not list(events(seen, seen.declared.spec))


def test_what_nobody_saw_whole_before_is_blamed_on_nobody_and_holds():
    seen = read(canary(), 1)
    assert not blamed(seen)
    after = decide(seen, NOW).status
    assert after.candidate is not None and not after.rejected
    (told,) = (s for s in after.signals if s.name == NAME)
    assert told.verdict == "Bad"


def remembering(seen: Observed, query: str, verdict: str = "Good") -> Observed:
    """The status as an operator wrote it that is no longer there."""
    other = observed(declared(query))
    (signal,) = threshold_signals(read(other, 0), other.declared.spec)
    signal = signal.model_copy(update={"verdict": verdict})
    return replace(seen, status=seen.status.model_copy(update={"signals": (signal,)}))


@pytest.mark.parametrize(
    ("query", "verdict", "known"),
    [("sum(leaks)", "Good", True), ("sum(other)", "Good", False), ("sum(leaks)", "Bad", False)],
    ids=["whole", "another query", "broken"],
)
def test_what_status_says_of_this_very_query_counts_as_seen_before(query, verdict, known):
    assert blamed(remembering(read(canary(), 1), query, verdict)) is known


def test_a_query_that_is_not_asked_yet_stays_as_status_has_it():
    seen = remembering(canary(), "sum(leaks)")
    unobserved = replace(
        seen,
        measurements=replace(
            seen.measurements, readings={NAME: NoSample("Unobserved", "not asked yet")}
        ),
    )
    assert {s.verdict for s in threshold_signals(unobserved, seen.declared.spec)} == {"Good"}
    failed = replace(
        seen,
        measurements=replace(
            seen.measurements, readings={NAME: NoSample("QueryFailed", "no answer")}
        ),
    )
    assert {s.verdict for s in threshold_signals(failed, seen.declared.spec)} == {"NoData"}


def test_what_is_live_is_blamed_for_what_happened_since_it_serves():
    seen = observed(declared())
    assert event_under_live(read(seen, 0, 1), seen.declared.spec) is not None
    fell = Rejection(
        revision="h1:x", stage="Rollout", policy="p", reason="r", at=stamp(NOW - 10), evidence="e",
        version="9",
    )  # fmt: skip
    came_back = replace(seen, status=seen.status.model_copy(update={"rejected": (fell,)}))
    assert event_under_live(read(came_back, 0, 1, 1), seen.declared.spec) is None
    assert event_under_live(read(came_back, 0, 1, ended=NOW + 60), seen.declared.spec) is not None


def test_while_a_candidate_has_traffic_nothing_is_blamed_on_what_is_live():
    seen = read(canary(), 0, 1)
    assert event_under_live(seen, seen.declared.spec) is None


def test_an_alarm_that_is_held_lasts_as_long_as_the_signal_and_through_silence():
    seen = observed(declared())
    held = decide(read(seen, 0, 1), NOW).status
    assert held.alarm is not None and held.alarm.held == "NoHealthyRevision"
    seen = replace(seen, status=held)
    for lasting in (
        read(seen, *[1] * 10, ended=NOW + 600),
        replace(seen, measurements=replace(seen.measurements, readings={})),
    ):
        assert decide(lasting, NOW + 600).status.alarm == held.alarm
    assert decide(read(seen, 0, ended=NOW + 600), NOW + 600).status.alarm is None
