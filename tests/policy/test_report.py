"""A report is untrusted bytes: it becomes numbers or one reason, never an exception."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from merit.policy.report import Report, parse_report
from merit.policy.verdict import Verdict

GOOD = {
    "schema": "merit.dev/report/v1",
    "revision": "h1:aa",
    "nonce": "bb",
    "dataset": {"name": "holdout"},
    "metrics": {"recall": {"k": 80, "n": 100}, "roc_auc": {"v": 0.91, "n": 100}, "loss": 0.1},
}


def parsed(text: str) -> Report | Verdict:
    return parse_report(text, revision="h1:aa", nonce="bb")


def reason(**changes: object) -> str:
    found = parsed(json.dumps(GOOD | changes))
    assert isinstance(found, Verdict)
    assert found.kind == "Undecided"
    return found.reason


def test_a_whole_report_becomes_numbers() -> None:
    report = parsed(json.dumps(GOOD))
    assert isinstance(report, Report)
    assert report.metrics["recall"].v == Decimal("0.8")
    assert report.metrics["recall"].n == 100
    assert report.metrics["loss"].n is None


def test_a_metric_that_is_null_or_not_available_is_absent_not_zero() -> None:
    report = parsed(json.dumps(GOOD | {"metrics": {"a": None, "b": "N/A", "c": 1}}))
    assert isinstance(report, Report)
    assert set(report.metrics) == {"c"}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 400, "true"])
def test_a_number_that_is_none_is_refused(number: str) -> None:
    text = json.dumps(GOOD).replace("0.91", number)
    found = parsed(text)
    assert isinstance(found, Verdict)
    assert found.reason == "Malformed"


def test_a_report_of_another_revision_or_another_run_is_stale() -> None:
    assert reason(revision="h1:cc") == "StaleReport"
    assert reason(nonce="cc") == "StaleReport"


def test_another_schema_is_named_as_such() -> None:
    assert reason(schema="merit.dev/report/v2") == "UnknownSchema"


def test_a_report_that_the_kubelet_cut_is_too_large_not_malformed() -> None:
    found = parsed(json.dumps(GOOD | {"note": "x" * 5000})[:4096])
    assert isinstance(found, Verdict)
    assert found.reason == "ReportTooLarge"


def test_duplicate_keys_and_deep_nesting_are_refused() -> None:
    assert parsed('{"schema": 1, "schema": 2}').reason == "Malformed"  # type: ignore[union-attr]
    assert parsed("[" * 4000).reason == "Malformed"  # type: ignore[union-attr]


def test_more_successes_than_samples_are_refused() -> None:
    assert reason(metrics={"recall": {"k": 5, "n": 4}}) == "Malformed"
    assert reason(metrics={"recall": {"k": -1, "n": 4}}) == "Malformed"
    assert reason(metrics={"recall": {"v": 1, "passed": True}}) == "Malformed"


@given(st.text(max_size=300))
def test_any_text_gives_a_report_or_a_reason(text: str) -> None:
    assert isinstance(parsed(text), Report | Verdict)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["v", "n", "k", "recall", "x"]), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_any_metrics_give_a_report_or_a_reason(metrics: object) -> None:
    assert isinstance(parsed(json.dumps(GOOD | {"metrics": metrics})), Report | Verdict)
