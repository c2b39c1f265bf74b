"""What runs again by itself, after how long, and when a person has to act."""

from __future__ import annotations

import pytest

from merit.api.status import Candidate, Status
from merit.policy.gates.retry_policy import RERUNS, next_attempt, next_start, retry_delay
from merit.policy.state.times import stamp
from merit.policy.state.transitions import with_stage
from merit.policy.state.verdict import Verdict

CANDIDATE = Candidate(
    revision="h1:aa", short="aa", policy="pp", version="1", stage="Evaluation", since=""
)


def delays(verdict: Verdict) -> list[float | None]:
    candidate, found = CANDIDATE, []
    for _ in range(6):
        delay = retry_delay(candidate, verdict)
        found.append(delay)
        if delay is None:
            break
        candidate = next_attempt(candidate, 0.0, failures=candidate.failures + 1)
    return found


def test_a_broken_platform_is_tried_again_after_1_5_and_25_minutes_then_a_person_must_act() -> None:
    assert delays(Verdict("NoData", "JobFailed", "")) == [60.0, 300.0, 1500.0, None]
    assert RERUNS == (60.0, 300.0, 1500.0)


@pytest.mark.parametrize(
    "reason",
    ["Malformed", "StaleReport", "ReportTooLarge", "ReportLost", "ReportMissing", "UnknownSchema"],
)
def test_a_broken_report_is_asked_for_once_more(reason: str) -> None:
    assert delays(Verdict("Undecided", reason, "")) == [0.0, None]


@pytest.mark.parametrize("reason", ["MetricMissing", "NotProven", "TooFewSamples", "NoComparison"])
def test_numbers_are_never_measured_twice(reason: str) -> None:
    assert delays(Verdict("Undecided", reason, "")) == [None]


def test_another_run_is_another_attempt_from_now_on() -> None:
    held = CANDIDATE.model_copy(update={"held": True, "failures": 3, "attempt": 4})
    again = next_attempt(held, 60.0)
    assert (again.attempt, again.failures, again.held) == (5, 0, False)
    assert again.since == "1970-01-01T00:01:00Z"


def test_a_back_off_lasts_from_the_end_of_the_failed_run_and_only_after_one() -> None:
    failed = CANDIDATE.model_copy(update={"failures": 2, "since": stamp(1000.0)})
    status = with_stage(Status(), "Evaluation", Verdict("NoData", "JobFailed", ""), 1000.0)
    assert next_start(status, failed) == 1300.0
    assert next_start(status, CANDIDATE) is None
    malformed = with_stage(status, "Evaluation", Verdict("Undecided", "Malformed", ""), 1000.0)
    assert next_start(malformed, failed) is None
