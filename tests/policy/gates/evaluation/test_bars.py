"""Numbers against bars, row by row: only one on the wrong side is Bad, only a met bar is Good."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from merit.policy.gates.evaluation.bars import Serving, judge
from merit.policy.gates.evaluation.finding import gate_verdict
from merit.policy.gates.evaluation.report import Report, parse_content
from tests.policy.gates.evaluation.reports import bar, only_finding, report, share

STABLE = "h1:stable"

ABSOLUTE = [
    # bar, value, verdict, reason, words
    ({"min": "0.80"}, 0.79, "Bad", "BelowBar", "recall 0.79 < 0.80"),
    ({"min": "0.80"}, 0.80, "Good", "MeetsBars", "recall 0.8 >= 0.80"),
    ({"min": "0.80"}, share(783, 1000), "Bad", "BelowBar", "upper bound 0.8043"),
    ({"min": "0.80"}, share(805, 1000), "Good", "MeetsBars", "not proven"),
    ({"min": "0.80"}, share(850, 1000), "Good", "MeetsBars", "(n=1,000, lower bound 0.8302)"),
    ({"min": "0.80", "proof": "Bound"}, share(783, 1000), "Bad", "BelowBar", "< 0.80"),
    ({"min": "0.80", "proof": "Bound"}, share(805, 1000), "Undecided", "NotProven", "rows would"),
    ({"min": "0.80", "proof": "Bound"}, share(850, 1000), "Good", "MeetsBars", ">= 0.80"),
    ({"min": "0.8", "proof": "Bound"}, share(8, 10), "Undecided", "NotProven", "no number of rows"),
    ({"min": "0.80", "proof": "Bound"}, 0.9, "Undecided", "TooFewSamples", "k of n"),
    ({"min": "0.80", "proof": "Bound"}, {"v": 0.9, "n": 9999}, "Undecided", "TooFewSamples", ""),
    ({"min": "0.80", "proof": "Bound"}, 0.7, "Bad", "BelowBar", "0.7 < 0.80"),
    ({"min": "0.80", "proof": "Bound"}, {"v": 0.84, "se": 0.02}, "Good", "MeetsBars", "0.8071"),
    ({"min": "0.80", "proof": "Bound"}, {"v": 0.83, "se": 0.02, "n": 100}, "Undecided",
     "NotProven", "about 130 rows"),
    ({"max": "0.05"}, 0.06, "Bad", "BelowBar", "recall 0.06 > 0.05"),
    ({"max": "0.05"}, 0.05, "Good", "MeetsBars", "recall 0.05 <= 0.05"),
    ({"max": "0.05", "proof": "Bound"}, share(1, 1000), "Good", "MeetsBars", "upper bound 0.0047"),
    ({"max": "0.05", "proof": "Bound"}, share(0, 30), "Undecided", "NotProven", "about 62 rows"),
    ({"max": "0.05", "proof": "Bound"}, share(60, 1000), "Bad", "BelowBar", "lower bound 0.048"),
    ({"min": "0.80"}, None, "Undecided", "MetricMissing", "not in the report"),
    ({"min": "0.80", "minSamples": 100}, share(99, 99), "Undecided", "TooFewSamples", "99 samples"),
    ({"min": "0.80", "minSamples": 100}, share(1, 99), "Undecided", "TooFewSamples", "least 100"),
    ({"min": "0.80", "minSamples": 100}, 0.9, "Undecided", "TooFewSamples", "an unknown number"),
    ({"min": "0.80", "minSamples": 100}, share(99, 100), "Good", "MeetsBars", "n=100"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "value", "kind", "reason", "said"), ABSOLUTE)
def test_a_value_against_a_minimum_or_a_maximum(
    fields: dict[str, Any], value: Any, kind: str, reason: str, said: str
) -> None:
    found = only_finding(bar(**fields), report({"recall": value}))
    assert found[:2] == (kind, reason), found[2]
    assert said in found[2]


SAID = {"revision": STABLE, "metrics": {"auc": {"v": 0.91, "se": 0.002}}}
DELTA = SAID | {"delta": {"auc": {"v": -0.001, "se": 0.0005}}}
RECORD = report({"auc": {"v": 0.91, "se": 0.002}})
COMPARED = [
    # bar, candidate's value, report's part about stable, stable's record, verdict, reason, words
    ({}, 0.91, SAID, None, "Good", "MeetsBars", "auc +0 vs stable"),
    ({}, 0.909, SAID, None, "Good", "MeetsBars", "auc -0.001 vs stable"),
    ({}, 0.90, SAID, None, "Bad", "BelowBar", "auc -0.01 vs stable, 0.01 worse > 0.002"),
    ({}, {"v": 0.91, "se": 0.002}, SAID, None, "Good", "MeetsBars", "not proven"),
    ({"proof": "Bound"}, {"v": 0.91, "se": 0.002}, SAID, None, "Undecided", "NotProven", "0.0047"),
    ({"proof": "Bound"}, {"v": 0.92, "se": 0.002}, SAID, None, "Good", "MeetsBars", "at most 0"),
    ({"proof": "Bound"}, 0.92, SAID, None, "Undecided", "TooFewSamples", "se of the difference"),
    ({}, 0.909, DELTA, None, "Good", "MeetsBars", "at most 0.0018 worse"),
    ({"proof": "Bound"}, 0.909, DELTA, None, "Good", "MeetsBars", "auc -0.001 vs stable"),
    ({}, 0.5, DELTA, None, "Good", "MeetsBars", "the paired difference counts"),
    ({}, None, DELTA, None, "Good", "MeetsBars", "-0.001"),
    ({}, None, SAID, None, "Undecided", "MetricMissing", "not in the report"),
    ({}, 0.91, None, None, "Undecided", "NoComparison", "no record"),
    ({}, 0.91, SAID | {"revision": "h1:other"}, None, "Undecided", "NoComparison", "no record"),
    ({}, 0.91, None, RECORD, "Good", "MeetsBars", "vs stable"),
    ({}, 0.90, None, RECORD, "Bad", "BelowBar", "worse > 0.002"),
    ({}, 0.91, SAID | {"revision": "h1:other"}, RECORD, "Good", "MeetsBars", "vs stable"),
    ({}, 0.91, None, report({"recall": 1}), "Undecided", "NoComparison", "does not have it"),
    ({"minSamples": 9}, {"v": 0.91, "n": 8}, SAID, None, "Undecided", "TooFewSamples", "8 samples"),
    ({"metric": "log_loss"}, 0.913, None, report({"log_loss": 0.91}), "Bad", "BelowBar", "+0.003"),
    ({"metric": "log_loss"}, 0.90, None, report({"log_loss": 0.91}), "Good", "MeetsBars", "-0.01"),
    ({"metric": "x", "direction": "Lower"}, 2, None, report({"x": 1}), "Bad", "BelowBar", "+1"),
    ({"metric": "recall"}, share(90, 100), None, report({"recall": share(90, 100)}), "Good",
     "MeetsBars", "not proven"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "value", "stable", "record", "kind", "reason", "said"), COMPARED
)
def test_a_value_against_the_serving_revision(
    fields: dict[str, Any],
    value: Any,
    stable: Any,
    record: Report | None,
    kind: str,
    reason: str,
    said: str,
) -> None:
    asked = bar(**({"metric": "auc", "noWorseThanStable": "0.002"} | fields))
    given = report({asked.metric: value}, stable=stable)
    found = only_finding(asked, given, Serving(STABLE, record))
    assert found[:2] == (kind, reason), found[2]
    assert said in found[2] or said.startswith("the paired")


def test_a_comparison_on_other_data_is_none_and_says_which() -> None:
    older = {"name": "old", "digest": "sha256:d5"}
    other = parse_content({"metrics": {"auc": 0.91}, "dataset": older})
    asked = bar("auc", noWorseThanStable="0")
    found = only_finding(asked, report({"auc": 1}), Serving(STABLE, other))
    assert found[:2] == ("Undecided", "NoComparison")
    assert "old sha256:d5" in found[2] and "holdout sha256:c4" in found[2]
    for nameless in ({}, {"name": "holdout"}):
        said = parse_content({"metrics": {"auc": 0.91}, "dataset": nameless})
        found = only_finding(asked, said, Serving(STABLE, said))
        assert found[1] == "NoComparison", "without a digest nobody knows that it is the same data"


def test_at_a_first_deployment_a_comparison_does_not_apply_and_does_not_block() -> None:
    bars = [bar("auc", min="0.8"), bar("auc", noWorseThanStable="0")]
    findings = judge(report({"auc": 0.9}), bars, None)
    assert [f.reason for f in findings] == ["MeetsBars", "NotApplicable"]
    assert gate_verdict(findings).kind == "Good"


def slices(**metrics: Any) -> dict[str, Any]:
    return {f"country={name}": {"fpr": value} for name, value in metrics.items()}


SPREAD = [
    # slices, bar, verdict, reason, words
    (slices(BR=0.02, DE=0.01), {}, "Good", "MeetsBars", "spread 0.01 <= 0.01"),
    (slices(BR=0.03, DE=0.01), {}, "Bad", "BelowBar", "country=DE 0.01, country=BR 0.03"),
    (slices(BR=share(900, 10_000), DE=share(200, 10_000)), {}, "Bad", "BelowBar", "spread 0.07"),
    (slices(BR=share(3, 100), DE=share(1, 100)), {}, "Undecided", "NotProven", "by chance"),
    (slices(BR=share(1, 100), DE=share(1, 100)), {}, "Good", "MeetsBars", "not proven"),
    (slices(BR=share(1, 100), DE=share(1, 100)), {"proof": "Bound"}, "Undecided", "NotProven", ""),
    (slices(BR=share(10, 10**5), DE=share(10, 10**5)), {"proof": "Bound"}, "Good", "MeetsBars", ""),
    (slices(BR=0.01, DE=0.01), {"proof": "Bound"}, "Undecided", "TooFewSamples", "k of n"),
    (slices(BR=share(9, 10), DE=share(1, 200), FR=share(1, 200)), {"minSamples": 100}, "Good",
     "MeetsBars", "too few samples in country=BR"),
    (slices(BR=share(9, 10), DE=share(1, 200)), {"minSamples": 100}, "Undecided", "TooFewSlices",
     "in 1 slices; too few samples in country=BR"),
    (slices(BR=0.01, DE=0.02), {"minSamples": 1}, "Undecided", "TooFewSlices", "in 0 slices"),
    (slices(BR=0.01, DE=None), {}, "Undecided", "MetricMissing", "country=DE"),
    (slices(BR=0.01), {}, "Undecided", "TooFewSlices", "in 1 slices"),
    ({"age=60": {"fpr": 1}}, {}, "Undecided", "MetricMissing", "no slice of the report is country"),
]  # fmt: skip


@pytest.mark.parametrize(("found", "fields", "kind", "reason", "said"), SPREAD)
def test_the_spread_between_slices(
    found: dict[str, Any], fields: dict[str, Any], kind: str, reason: str, said: str
) -> None:
    asked = bar("fpr", maxSpread="0.01", slices=["country=*"], **fields)
    got = only_finding(asked, report(slices=found))
    assert got[:2] == (kind, reason), got[2]
    assert said in got[2]


@pytest.mark.parametrize("proof", ["PointEstimate", "Bound"])
@pytest.mark.parametrize("n", [200, 2000, 20_000])
def test_twenty_slices_at_par_are_refused_in_at_most_5_percent(proof: str, n: int) -> None:
    draw = random.Random(7)
    asked = bar("fpr", maxSpread="0.005", slices=["s=*"], proof=proof)
    bad = 0
    for _ in range(100):
        counts = [round(n * 0.1 + draw.gauss(0, (n * 0.09) ** 0.5)) for _ in range(20)]
        at_par = {f"s={i}": {"fpr": share(k, n)} for i, k in enumerate(counts)}
        bad += only_finding(asked, report(slices=at_par))[0] == "Bad"
    assert bad <= 5


def test_every_slice_must_meet_a_minimum_and_is_named() -> None:
    said = report(slices=slices(BR=0.9, DE=0.7) | {"age=60": {"fpr": 0}})
    findings = judge(said, [bar("fpr", min="0.8", slices=["country=*"])], None)
    assert [(f.slice, f.kind) for f in findings] == [("country=BR", "Good"), ("country=DE", "Bad")]
    assert "fpr of country=DE 0.7 < 0.8" in findings[1].message
    two = [bar("fpr", min="0.8", slices=["age=6?", "country=B*"])]
    assert {f.slice for f in judge(said, two, None)} == {"country=BR", "age=60"}


def test_a_slice_is_compared_with_the_same_slice_on_record() -> None:
    record = report(slices=slices(BR=0.02, DE=0.02))
    said = report(slices=slices(BR=0.02, DE=0.03), stable=SAID)
    asked = bar("fpr", noWorseThanStable="0.001", slices=["country=*"])
    kinds = {f.slice: f.kind for f in judge(said, [asked], Serving(STABLE, record))}
    assert kinds == {"country=BR": "Good", "country=DE": "Bad"}


def test_many_slices_each_need_more_proof_than_one_alone() -> None:
    value = {"recall": share(850, 1000)}
    one = bar(min="0.83", slices=["s=0"], proof="Bound")
    many = bar(min="0.83", slices=["s=*"], proof="Bound")
    said = report(slices={f"s={i}": value for i in range(20)})
    assert gate_verdict(judge(said, [one], None)).kind == "Good"
    assert gate_verdict(judge(said, [many], None)).reason == "NotProven"


def test_a_report_that_tells_more_is_never_judged_harder() -> None:
    draw = random.Random(3)
    for _ in range(300):
        n = draw.randint(1, 3000)
        k = draw.randint(0, n)
        asked = bar("auc", **{draw.choice(("min", "max")): "0.5"})
        bare = only_finding(asked, report({"auc": float(Decimal(k) / n)}))[0]
        assert only_finding(asked, report({"auc": share(k, n)}))[0] == bare
        assert only_finding(asked, report({"auc": {"v": k / n, "se": 0.1, "n": n}}))[0] == bare
