"""How a Job ended, and what that means: a broken Job is not a bad model, and not a good one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from merit.api.evaluation import Evaluation
from merit.policy.gates.evaluation.job_outcome import outcome
from merit.policy.state.observed import JobRun
from merit.policy.state.verdict import Verdict

REVISION, NONCE = "h1:aa", "bb"
BARS = [{"metric": "recall", "min": "0.80"}, {"metric": "fpr", "max": "0.05"}]
NATIVE = Evaluation.model_validate({"job": {}, "bars": BARS})
EXIT_CODE = Evaluation.model_validate({"job": {}, "report": {"format": "ExitCode"}})


def run(message: str | None = None, **facts: Any) -> JobRun:
    return JobRun(name="j", exists=True, finished=True, message=message, **facts)


def report(**metrics: object) -> str:
    bound = {"schema": "merit.dev/report/v1", "revision": REVISION, "nonce": NONCE}
    return json.dumps(bound | {"metrics": metrics})


def verdict(job: JobRun, evaluation: Evaluation = NATIVE) -> Verdict:
    return outcome(job, evaluation, revision=REVISION, nonce=NONCE).verdict


GOOD = report(recall=0.9, fpr=0.01)
BY_REPORT = [
    pytest.param(run(GOOD, succeeded=True), "Good", "MeetsBars", id="all bars met"),
    pytest.param(run(report(recall=0.7, fpr=0.01)), "Bad", "BelowBar", id="below a minimum"),
    pytest.param(run(report(recall=0.9, fpr=0.06)), "Bad", "BelowBar", id="above a maximum"),
    pytest.param(run(report(recall=0.7)), "Bad", "BelowBar", id="bad beats a missing metric"),
    pytest.param(run(report(recall=0.9)), "Undecided", "MetricMissing", id="missing is no pass"),
    pytest.param(run(GOOD, exit_code=1), "Good", "MeetsBars", id="a report judges, not the code"),
    pytest.param(
        run(GOOD, exit_code=137, reason="OOMKilled"), "Good", "MeetsBars", id="even when killed"
    ),
    pytest.param(run(None, reason="OOMKilled"), "NoData", "JobFailed", id="out of memory"),
    pytest.param(run(None, reason="DeadlineExceeded"), "NoData", "JobFailed", id="too late"),
    pytest.param(run("", reason="Evicted"), "NoData", "JobFailed", id="evicted"),
    pytest.param(run("", exit_code=1, reason="Error"), "NoData", "JobFailed", id="no report"),
    pytest.param(run("Trace", exit_code=137), "NoData", "JobFailed", id="killed while writing"),
    pytest.param(run("x", exit_code=143), "NoData", "JobFailed", id="ended from outside"),
    pytest.param(run("Traceback", exit_code=1), "Undecided", "Malformed", id="garbage"),
    pytest.param(run("{", succeeded=True), "Undecided", "Malformed", id="half a report"),
    pytest.param(run("x" * 4096, succeeded=True), "Undecided", "ReportTooLarge", id="cut off"),
    pytest.param(run("", succeeded=True, exit_code=0), "Undecided", "ReportMissing", id="nothing"),
    pytest.param(run(None, succeeded=True), "Undecided", "ReportLost", id="pod gone"),
    pytest.param(
        run(GOOD.replace('"bb"', '"cc"'), succeeded=True), "Undecided", "StaleReport",
        id="of another run",
    ),
    pytest.param(
        run(GOOD.replace("v1", "v2"), succeeded=True), "Undecided", "UnknownSchema", id="schema"
    ),
]  # fmt: skip


@pytest.mark.parametrize(("job", "kind", "reason"), BY_REPORT)
def test_a_finished_job_is_judged_by_its_numbers(job: JobRun, kind: str, reason: str) -> None:
    found = verdict(job)
    assert (found.kind, found.reason) == (kind, reason), found.message


@pytest.mark.parametrize(
    ("job", "kind", "reason"),
    [
        (run("", succeeded=True, exit_code=0), "Good", "ExitCodeOnly"),
        (run("numbers, ignored", succeeded=True, exit_code=0), "Good", "ExitCodeOnly"),
        (run("", exit_code=1), "Bad", "ExitCode"),
        (run("", exit_code=42), "Bad", "ExitCode"),
        (run(GOOD, exit_code=1), "Bad", "ExitCode"),
        (run(None, reason="BackoffLimitExceeded"), "NoData", "JobFailed"),
        (run(None, reason="DeadlineExceeded", exit_code=1), "NoData", "JobFailed"),
        *((run("", exit_code=c), "NoData", "JobFailed") for c in (125, 126, 127, 137, 139, 143)),
    ],
)
def test_an_exit_code_alone_is_a_verdict_only_if_the_program_chose_it(
    job: JobRun, kind: str, reason: str
) -> None:
    found = verdict(job, EXIT_CODE)
    assert (found.kind, found.reason) == (kind, reason)


def test_a_report_that_says_passed_with_bad_numbers_is_bad() -> None:
    text = json.dumps(json.loads(report(recall=0.1, fpr=0.01)) | {"pass": True})
    assert verdict(run(text)).kind == "Bad"


def test_the_message_of_a_no_has_value_bar_and_samples() -> None:
    found = verdict(run(report(recall={"k": 7, "n": 10}, fpr=0.01)))
    assert found.message == "recall 0.7 < 0.80 (n=10, upper bound 0.9127); met: fpr 0.01 <= 0.05"


def test_a_failed_job_says_how_in_one_clean_line() -> None:
    found = verdict(run(None, exit_code=139, reason="Error", detail="a\x1b[31m\nb"))
    assert found.message == "no report: Error (exit code 139): a [31m b"
