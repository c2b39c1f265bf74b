"""Files of frameworks are untrusted too: a report that fits, or one reason."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from merit.cli.adapters.summary import ADAPTERS, error_report, resolve, summarise
from merit.policy.gates.evaluation.report import Report, parse_report
from merit.policy.gates.strict_json import LIMIT, Refusal

BOUND = {"revision": "h1:aa", "nonce": "bb"}


def written(tree: Any, framework: str = "MLflow", **more: Any) -> str:
    raw = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
    given: dict[str, Any] = {"pointers": {}, "keep": [], "keep_slices": []} | more
    return summarise(raw, framework=framework, **given, **BOUND)


def report(tree: Any, framework: str = "MLflow", **more: Any) -> Report:
    found = parse_report(written(tree, framework, **more), **BOUND)
    assert isinstance(found, Report), found
    return found


def refused(tree: Any, framework: str = "MLflow", **more: Any) -> tuple[str, str]:
    with pytest.raises(Refusal) as caught:
        written(tree, framework, **more)
    return caught.value.reason, str(caught.value)


def test_what_python_writes_for_no_number_is_absent() -> None:
    raw = b'{"a": NaN, "b": Infinity, "c": -Infinity, "d": null, "e": "N/A", "f": true, "g": 1}'
    assert set(report(raw).metrics) == {"g"}


def test_a_native_file_is_a_report_without_its_binding() -> None:
    tree = {
        "dataset": {"name": "holdout", "digest": "sha256:c4", "rows": 10},
        "metrics": {"recall": {"k": 8, "n": 10}},
        "slices": {"country=BR": {"recall": {"k": 1, "n": 2}}},
        "stable": {"revision": "h1:cc", "delta": {"recall": {"v": 0, "se": 0.1}}},
        "reference": {"score": {"le": [0.5], "n": [5, 5]}},
        "artifact": {"uri": "s3://reports/1"},
        "revision": "h1:forged",
    }
    found = report(tree, "Native")
    assert found.dataset.rows == 10 and found.stable is not None and found.artifact is not None
    assert found.reference["score"].n == (5, 5) and found.slices["country=BR"]["recall"].k == 1


def test_a_native_file_is_checked_like_a_native_message() -> None:
    assert refused({"metrics": {"a": {"k": 2, "n": 1}}}, "Native")[0] == "Malformed"
    assert refused({"schema": "merit.dev/report/v2", "metrics": {}}, "Native")[0] == "UnknownSchema"
    assert refused({}, "Native")[0] == "Malformed"


@pytest.mark.parametrize("framework", ADAPTERS)
@pytest.mark.parametrize("raw", [b"", b"\xff\xfe", b"[]", b"3", b'{"a": 1, "a": 2}', b"[" * 10**5])
def test_garbage_is_malformed_whatever_the_framework(framework: str, raw: bytes) -> None:
    assert refused(raw, framework)[0] == "Malformed"


@pytest.mark.parametrize(
    ("framework", "tree"),
    [
        ("Evidently", {"metrics": {"roc_auc": 1}}),
        ("Evidently", {"result": {}}),
        ("LmEval", {"metrics": []}),
        ("LmEval", {"results": []}),
        ("Sklearn", {"accuracy": 0.9}),
        ("Sklearn", {"0": {"precision": 1}}),
    ],
)
def test_the_file_of_another_framework_is_malformed(framework: str, tree: Any) -> None:
    assert refused(tree, framework)[0] == "Malformed"


def test_two_labels_that_become_one_name_are_refused_not_mixed_up() -> None:
    row = {"precision": 1.0, "recall": 1.0, "f1-score": 1.0, "support": 3.0}
    reason, message = refused({"a;b": row, "a#b": row}, "Sklearn")
    assert reason == "Malformed" and "class=a_b" in message


def test_evidentlys_metrics_of_one_kind_keep_separate_names() -> None:
    def metric(name: str, value: Any) -> dict[str, Any]:
        return {"metric_name": name, "value": value}

    tree = {"metrics": [metric("Missing(column=a)", 1), metric("Missing(column=b)", 2), {}]}
    assert set(report(tree, "Evidently").metrics) == {"Missing:column=a", "Missing:column=b"}
    pointed = report(tree, "Evidently", pointers={"m": "/Missing(column=b)"})
    assert pointed.metrics["m"].v == 2


def test_a_share_that_is_no_count_of_the_rows_stays_a_value() -> None:
    metrics = report({"accuracy_score": 0.835, "example_count": 10, "recall_score": 0.5}).metrics
    assert (metrics["accuracy_score"].k, metrics["accuracy_score"].n) == (None, 10)
    assert metrics["recall_score"].n == 10


def test_lm_evals_missing_error_is_absent_and_another_filter_stays_in_the_name() -> None:
    task = {"exact_match,strict": 0.5, "exact_match_stderr,strict": "N/A", "alias": "x"}
    found = report({"results": {"gsm8k": task, "odd": 3}, "n-samples": {"gsm8k": 7}}, "LmEval")
    assert list(found.metrics) == ["gsm8k/exact_match,strict"]
    assert found.metrics["gsm8k/exact_match,strict"].se is None


def test_what_bars_do_not_name_makes_room_for_what_they_do() -> None:
    tree = {f"metric_{n}": n / 7 for n in range(500)}
    found = report(tree, keep=["metric_3", "metric_4", "absent"])
    assert set(found.metrics) == {"metric_3", "metric_4"}
    reason, message = refused(tree, keep=list(tree))
    assert reason == "ReportTooLarge" and "4,096" in message


def test_slices_that_no_bar_is_about_make_room_too() -> None:
    row = {"precision": 0.5, "recall": 0.5, "f1-score": 0.123456789, "support": 3.0}
    tree = {str(n): row for n in range(64)}
    found = report(tree, "Sklearn", keep=["f1"], keep_slices=["class=1?"])
    assert set(found.slices) == {f"class=1{n}" for n in range(10)}
    assert set(found.slices["class=10"]) == {"f1"}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/a/0", 1), ("/a/1/b c", 2), ("/m~1n", 3), ("/p~0q", 4), ("/~01", 5), ("/acc,none", 6),
        ("/country=BR", 7), ("/", 8),
    ],
)  # fmt: skip
def test_a_pointer_reads_as_rfc_6901_says(pointer: str, value: int) -> None:
    tree = {"a": [1, {"b c": 2}], "m/n": 3, "p~q": 4, "~1": 5, "acc,none": 6, "country=BR": 7}
    assert resolve(tree | {"": 8}, pointer) == value


@pytest.mark.parametrize("pointer", ["/b", "/a/2", "/a/-1", "/a/x", "/c/d", "/a/01x", "/a/\u0661"])
def test_a_pointer_to_nothing_names_what_exists(pointer: str) -> None:
    with pytest.raises(Refusal) as caught:
        resolve({"a": [1, 2], "c": 3}, pointer)
    assert caught.value.reason == "MetricMissing" and pointer in str(caught.value)


def test_a_pointer_to_something_else_than_a_number_is_malformed() -> None:
    assert refused({"a": {"b": []}}, pointers={"m": "/a/b"})[0] == "Malformed"
    assert report({"a": None, "b": 1}, pointers={"m": "/a"}).metrics.keys() == {"b"}


def test_a_reason_has_the_identity_of_the_run_and_fits() -> None:
    text = error_report(Refusal("ReportMissing", "x\n" * 4000), **BOUND)
    assert len(text) < LIMIT
    told = parse_report(text, **BOUND)
    assert not isinstance(told, Report) and told.reason == "ReportMissing"


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "metrics",
                    "results",
                    "tests",
                    "metric_name",
                    "value",
                    "acc,none",
                    "accuracy",
                    "precision",
                    "recall",
                    "f1-score",
                    "support",
                    "macro avg",
                    "n-samples",
                    "t",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@settings(deadline=None)  # other work on the machine must not fail it
@given(
    framework=st.sampled_from(sorted(ADAPTERS)), tree=JSON, way=st.text("/acmetrs~01", max_size=6)
)
def test_any_json_gives_a_report_or_a_reason(framework: str, tree: Any, way: str) -> None:
    try:
        text = written(tree, framework, pointers={"x": way} if way else {})
    except Refusal as why:
        assert str(why)
    else:
        assert isinstance(parse_report(text, **BOUND), Report)


@given(framework=st.sampled_from(sorted(ADAPTERS)), raw=st.binary(max_size=200))
def test_any_bytes_give_a_report_or_a_reason(framework: str, raw: bytes) -> None:
    with pytest.raises(Refusal):
        written(raw, framework)
