"""Numbers decide: only one on the wrong side of a bar is Bad. A broken Job is neither."""

import json
from decimal import Decimal

import pytest

from merit.api.evaluation import EvaluationBar
from merit.policy.evaluation import judge
from merit.policy.observed import JobRun

BARS = (
    EvaluationBar(metric="recall", min="0.80"),
    EvaluationBar(metric="fpr", max="0.05"),
)


def run(message: str | None = None, **facts: object) -> JobRun:
    return JobRun(name="j", exists=True, finished=True, message=message, **facts)  # type: ignore[arg-type]


def report(**metrics: object) -> str:
    return json.dumps(
        {"schema": "merit.dev/report/v1", "revision": "h1:aa", "nonce": "bb", "metrics": metrics}
    )


@pytest.mark.parametrize(
    ("job", "kind", "reason"),
    [
        pytest.param(run(report(recall=0.9, fpr=0.01)), "Good", "MeetsBars", id="all bars met"),
        pytest.param(run(report(recall=0.8, fpr=0.05)), "Good", "MeetsBars", id="on the bar"),
        pytest.param(run(report(recall=0.7, fpr=0.01)), "Bad", "BelowBar", id="below a minimum"),
        pytest.param(run(report(recall=0.9, fpr=0.06)), "Bad", "BelowBar", id="above a maximum"),
        pytest.param(
            run(report(recall=0.7)), "Bad", "BelowBar", id="bad beats a metric that is missing"
        ),
        pytest.param(
            run(report(recall=0.9)), "Undecided", "MetricMissing", id="a missing metric is no pass"
        ),
        pytest.param(
            run(report(recall=0.9, fpr=0.01), exit_code=1), "Good", "MeetsBars",
            id="a valid report judges, whatever the exit code",
        ),
        pytest.param(
            run(report(recall=0.9, fpr=0.01), exit_code=137), "NoData", "JobFailed",
            id="a killed Job proves nothing",
        ),
        pytest.param(run(None, reason="OOMKilled"), "NoData", "JobFailed", id="no report: no data"),
        pytest.param(
            run(None, succeeded=True), "Undecided", "Malformed", id="success without a report"
        ),
    ],
)  # fmt: skip
def test_a_finished_job_is_judged_by_its_numbers(job: JobRun, kind: str, reason: str) -> None:
    verdict = judge(job, BARS, "h1:aa", "bb")
    assert (verdict.kind, verdict.reason) == (kind, reason)


def test_a_report_that_says_passed_with_bad_numbers_is_bad() -> None:
    text = json.dumps(json.loads(report(recall=0.1, fpr=0.01)) | {"pass": True})
    assert judge(run(text), BARS, "h1:aa", "bb").kind == "Bad"


def test_the_message_of_a_no_has_value_bar_and_samples() -> None:
    verdict = judge(run(report(recall={"k": 7, "n": 10}, fpr=0.01)), BARS, "h1:aa", "bb")
    assert verdict.message == "recall 0.7 < 0.80 (n=10)"
    assert BARS[0].min == Decimal("0.80")
