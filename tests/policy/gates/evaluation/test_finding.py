"""The verdict and the message that many findings make together."""

from __future__ import annotations

from decimal import Decimal

from merit.policy.gates.evaluation.bars import judge
from merit.policy.gates.evaluation.finding import MESSAGE, Finding, gate_verdict, shown, summary
from tests.policy.gates.evaluation.reports import bar, report


def test_one_bad_check_rejects_and_only_all_good_ones_pass() -> None:
    good, bad = bar(min="0.5"), bar("auc", min="0.95")
    absent = bar("other", min="0")
    said = report({"recall": 0.9, "auc": 0.9})
    assert gate_verdict(judge(said, [good], None)).kind == "Good"
    assert gate_verdict(judge(said, [good, absent], None)).kind == "Undecided"
    assert gate_verdict(judge(said, [absent, good, bad], None)).kind == "Bad"
    assert gate_verdict(judge(said, [], None)).kind == "Undecided"


def test_the_summary_is_what_failed_first_and_the_tightest_of_what_is_met() -> None:
    bars = [bar(min="0.5"), bar("auc", min="0.95"), bar("acc", min="0.79"), bar("x", min="0")]
    said = report({"recall": 0.9, "auc": 0.9, "acc": 0.8})
    assert summary(judge(said, bars, None)) == (
        "auc 0.9 < 0.95; x is not in the report; met: acc 0.8 >= 0.79; 1 more met"
    )
    assert summary(judge(said, bars[:1], None)) == "recall 0.9 >= 0.5"


def test_the_summary_has_at_most_1500_bytes_however_many_slices_fail() -> None:
    said = report(slices={f"s={i:90}": {"recall": 0.1} for i in range(60)})
    findings = judge(said, [bar(min="0.5", slices=["s=*"])], None)
    text = summary(findings)
    assert len(text.encode()) <= MESSAGE and text.endswith("more not met")
    giant = Finding(0, "min", "m", "Bad", "BelowBar", "é" * 5000)
    assert len(summary([giant, giant]).encode()) <= MESSAGE


def test_a_number_is_shown_so_that_it_differs_from_its_bar() -> None:
    assert shown(Decimal("0.79999"), Decimal("0.8")) == "0.79999"
    assert shown(Decimal("0.8"), Decimal("0.80")) == "0.8"
    assert shown(Decimal("0.123456")) == "0.1235"
    assert shown(Decimal("12345678")) == "12345678"
    assert shown(Decimal("1E+20")) == "1e+20"
    assert shown(Decimal("0.00001234")) == "1.234e-05"
