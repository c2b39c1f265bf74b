"""A report is untrusted bytes: it becomes numbers or one reason, never an exception."""

from __future__ import annotations

import json
import time
import tracemalloc
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from merit.policy.gates.evaluation.report import Artifact, Dataset, Report, Value, parse_report
from merit.policy.gates.strict_json import LIMIT
from merit.policy.state.verdict import Verdict

BOUND = {"revision": "h1:aa", "nonce": "bb"}
GOOD: dict[str, Any] = {
    "schema": "merit.dev/report/v1",
    **BOUND,
    "dataset": {"name": "holdout", "digest": "sha256:c4", "rows": 100},
    "metrics": {
        "recall": {"k": 80, "n": 100},
        "roc_auc": {"v": 0.91, "se": 0.01, "n": 100},
        "loss": 0.1,
    },
    "slices": {"country=BR": {"recall": {"k": 7, "n": 10}}},
    "stable": {
        "revision": "h1:cc",
        "metrics": {"roc_auc": {"v": 0.9, "se": 0.01}},
        "delta": {"roc_auc": {"v": 0.01, "se": 0.001}},
    },
    "reference": {"score": {"le": [0.1, 0.5], "n": [50, 40, 10]}},
    "artifact": {"uri": "s3://reports/1.html", "sha256": "e3"},
}


def parsed(text: str) -> Report | Verdict:
    return parse_report(text, revision="h1:aa", nonce="bb")


def good(**changes: object) -> Report:
    found = parsed(json.dumps(GOOD | changes))
    assert isinstance(found, Report), found
    return found


def refused(text: str) -> Verdict:
    found = parsed(text)
    assert isinstance(found, Verdict), "taken"
    assert found.kind == "Undecided"
    assert found.message and found.message.isprintable() and len(found.message) <= 256
    return found


def reason(**changes: object) -> str:
    return refused(json.dumps(GOOD | changes)).reason


def test_a_whole_report_becomes_numbers() -> None:
    report = good()
    assert report.metrics["recall"] == Value(Decimal("0.8"), n=100, k=80)
    assert report.metrics["roc_auc"] == Value(Decimal("0.91"), n=100, se=Decimal("0.01"))
    assert report.metrics["loss"] == Value(Decimal("0.1"))
    assert report.dataset == Dataset("holdout", "sha256:c4", 100)
    assert report.slices["country=BR"]["recall"].v == Decimal("0.7")
    assert report.stable is not None and report.stable.delta["roc_auc"].se == Decimal("0.001")
    assert report.reference["score"].n == (50, 40, 10)
    assert report.artifact == Artifact("s3://reports/1.html", "e3")


def test_metrics_alone_are_a_report() -> None:
    text = json.dumps({"schema": GOOD["schema"], **BOUND, "metrics": {"a": 1}})
    assert parsed(text) == Report(metrics={"a": Value(Decimal(1))})


def test_unknown_keys_are_ignored_at_the_top_and_refused_inside() -> None:
    assert good(**{"pass": True, "note": [1]}).metrics
    for part, value in {
        "dataset": {"name": "x", "size": 1},
        "metrics": {"a": {"v": 1, "std": 2}},
        "slices": {"a=b": {"m": {"v": 1, "sem": 2}}},
        "stable": {"revision": "h1:cc", "metric": {}},
        "reference": {"score": {"le": [1], "n": [1, 1], "ge": []}},
        "artifact": {"uri": "s3://x", "sha512": ""},
    }.items():
        assert reason(**{part: value}) == "Malformed", part


def test_a_metric_that_is_null_or_not_available_is_absent_not_zero() -> None:
    metrics = {"a": None, "b": "N/A", "c": {"v": 1, "se": "N/A", "n": None}, "d": {"v": None}}
    assert good(metrics=metrics).metrics == {"c": Value(Decimal(1))}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 400])
def test_a_number_that_is_none_is_refused(number: str) -> None:
    assert refused(json.dumps(GOOD).replace("0.91", number)).reason == "Malformed"


@pytest.mark.parametrize("value", [True, "0.9", [0.9], {}, {"n": 5}, 2**53 + 1, {"v": "0.9"}])
def test_what_is_no_number_is_refused(value: object) -> None:
    assert reason(metrics={"a": value}) == "Malformed"


def test_minus_zero_is_zero_and_a_number_keeps_its_digits() -> None:
    metrics = good(metrics={"a": -0.0, "b": 0.1, "c": 2**53, "d": 1e-9}).metrics
    assert [str(metrics[name].v) for name in "abcd"] == ["0", "0.1", str(2**53), "1E-9"]


@pytest.mark.parametrize(
    "value",
    [
        {"k": 5, "n": 4},
        {"k": -1, "n": 4},
        {"k": 0, "n": 0},
        {"k": 1},
        {"k": 1.0, "n": 4},
        {"k": 1, "n": 4, "v": 0.25},
        {"v": 1, "n": 0},
        {"v": 1, "se": -0.1},
        {"v": 1, "n": 2**53 + 1},
    ],
)
def test_counts_that_cannot_be_are_refused(value: object) -> None:
    assert reason(metrics={"a": value}) == "Malformed"


@pytest.mark.parametrize(
    "histogram",
    [
        {"le": [0.5, 0.1], "n": [1, 1, 1]},
        {"le": [0.1, 0.1], "n": [1, 1, 1]},
        {"le": [0.1, 0.5], "n": [1, 1]},
        {"le": [0.1], "n": [1, -1]},
        {"le": [], "n": [1]},
        {"le": list(range(21)), "n": [1] * 22},
        {"le": 0.1, "n": [1, 1]},
        {"le": ["a"], "n": [1, 1]},
    ],
)
def test_a_histogram_that_cannot_be_is_refused(histogram: object) -> None:
    assert reason(reference={"score": histogram}) == "Malformed"


@pytest.mark.parametrize("name", ["", "a" * 97, "a\nb", "é", "a;b", "a(b)", "\ud800"])
def test_a_name_with_other_characters_is_refused(name: str) -> None:
    assert reason(metrics={name: 1}) == "Malformed"


@pytest.mark.parametrize("name", ["BR", "=BR", "country="])
def test_a_slice_is_called_key_equals_value(name: str) -> None:
    assert reason(slices={name: {"a": 1}}) == "Malformed"


def test_there_are_at_most_64_metrics_and_64_slices() -> None:
    many = {f"m{n}": n for n in range(65)}
    assert reason(metrics=many) == "Malformed"
    assert reason(slices={f"m={n}": {} for n in range(65)}) == "Malformed"
    assert len(good(metrics=dict(list(many.items())[:64])).metrics) == 64


def test_a_difference_is_no_share() -> None:
    stable = {"revision": "h1:cc", "delta": {"a": {"k": 1, "n": 2}}}
    assert reason(stable=stable) == "Malformed"


def test_at_the_first_deployment_the_part_about_stable_is_empty() -> None:
    assert good(stable={"revision": "", "metrics": {}}).stable is None
    assert good(stable={}).stable is None


def test_a_report_of_another_revision_or_another_run_is_stale() -> None:
    assert reason(revision="h1:cc") == "StaleReport"
    assert reason(nonce="cc") == "StaleReport"
    assert refused(json.dumps({"schema": GOOD["schema"], "metrics": {}})).reason == "StaleReport"


def test_another_schema_is_named_as_such() -> None:
    assert reason(schema="merit.dev/report/v2") == "UnknownSchema"
    assert refused("{}").reason == "UnknownSchema"


def test_a_report_may_be_just_as_long_as_the_kubelet_keeps() -> None:
    text = json.dumps(GOOD)
    assert isinstance(parsed(text + " " * (LIMIT - len(text))), Report)
    assert refused(text + " " * (LIMIT - len(text) + 1)).reason == "ReportTooLarge"


def test_a_report_that_the_kubelet_cut_is_too_large_not_malformed() -> None:
    whole = json.dumps(GOOD | {"note": "x" * 5000})
    assert refused(whole[:LIMIT]).reason == "ReportTooLarge"
    assert refused(whole[-LIMIT:]).reason == "ReportTooLarge"
    assert refused(whole[: LIMIT - 1]).reason == "Malformed"
    assert refused(whole).reason == "ReportTooLarge"
    assert "5,0" in refused("x" * 5000).message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        '"text"',
        "{",
        "\ufeff" + json.dumps(GOOD),
        json.dumps(GOOD) + "x",
        '{"schema": 1, "schema": 2}',
        json.dumps(GOOD).replace('"loss"', '"recall"'),
        json.dumps(GOOD).replace("holdout", "hold\x00out"),
        json.dumps(GOOD).replace("holdout", "hold\x1bout"),
        "[" * 4000,
        '{"a":' * 700,
        json.dumps(GOOD | {"note": [[[[[[1]]]]]]}),
        '{"a": "' + "[" * 100,
    ],
)
def test_text_that_is_no_strict_json_object_is_malformed(text: str) -> None:
    assert refused(text).reason == "Malformed"


def test_nesting_is_counted_in_structure_not_in_text() -> None:
    assert good(note='[[[[[[[["\\').metrics


def test_text_for_people_is_cut_and_cleaned() -> None:
    name = "a\u200b\u202e\ud800\nb"
    assert good(dataset={"name": name}).dataset.name == "a    b"
    assert reason(dataset={"name": "x" * 97}) == "Malformed"
    assert reason(artifact={"uri": "x" * 513}) == "Malformed"


def test_what_the_parsing_container_found_wrong_is_the_reason() -> None:
    told = {"schema": "merit.dev/report-error/v1", **BOUND}
    text = json.dumps(told | {"reason": "ReportTooLarge", "message": "33 MiB"})
    assert refused(text) == Verdict("Undecided", "ReportTooLarge", "33 MiB")
    assert refused(json.dumps(told | {"reason": "MeetsBars"})).reason == "Malformed"
    assert refused(json.dumps(told | {"nonce": "cc"})).reason == "StaleReport"


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["v", "n", "k", "se", "le", "a=b", "revision", "name", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(st.binary(max_size=5000) | st.text(max_size=300).map(str.encode))
def test_any_bytes_give_a_report_or_a_reason(raw: bytes) -> None:
    refused(raw.decode("utf-8", "replace"))


@settings(deadline=None)  # other work on the machine must not fail it
@given(part=st.sampled_from([*GOOD, "other"]), value=JSON)
def test_any_json_in_any_place_gives_a_report_or_a_reason(part: str, value: object) -> None:
    found = parsed(json.dumps(GOOD | {part: value}))
    assert isinstance(found, Report) or found.reason


@settings(deadline=None)
@given(cut=st.integers(0, 700), put=st.text(max_size=3))
def test_a_good_report_with_something_put_in_gives_a_report_or_a_reason(cut: int, put: str) -> None:
    text = json.dumps(GOOD)
    found = parsed(text[:cut] + put + text[cut:])
    assert isinstance(found, Report) or found.reason


@pytest.mark.parametrize(
    "text",
    ["[" * 10**7, '\\"' * 2000, '{"a":' * 800, "9" * 4000, '"' * 4000, "\U0001f600" * 10**6],
    ids=["brackets", "quotes", "objects", "digits", "open strings", "wide characters"],
)
def test_hostile_text_costs_little_time_and_memory(text: str) -> None:
    started = time.process_time()
    refused(text)
    assert time.process_time() - started < 0.1  # 10 ms of CPU time, as a rule
    tracemalloc.start()
    try:
        refused(text)
        assert tracemalloc.get_traced_memory()[1] < 5 * len(text) + 2**20
    finally:
        tracemalloc.stop()
