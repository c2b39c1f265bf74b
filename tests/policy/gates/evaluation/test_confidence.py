"""Confidence bounds of reported values: exact for small counts, quick for huge ones."""

from __future__ import annotations

import time
from decimal import Decimal

from merit.policy.gates.evaluation.bars import judge
from merit.policy.gates.evaluation.confidence import lower_bound, rows_needed
from merit.policy.gates.evaluation.report import Value
from merit.stats.bounds import lower_bound as share_lower
from tests.policy.gates.evaluation.reports import bar, only_finding, report, share


def test_the_rows_that_are_said_to_be_needed_would_do() -> None:
    for k, n, least in ((820, 1000, "0.80"), (99, 100, "0.95"), (100, 100, "0.99"), (6, 10, "0.5")):
        value, bound = Value(Decimal(k) / n, n=n, k=k), Decimal(least)
        rows = rows_needed(value, bound, 0.05)
        assert rows is not None and rows > n
        grown = int(1.05 * rows)  # "about": whole rows do not rise evenly
        said = report({"recall": share(int(k / n * grown), grown)})
        assert only_finding(bar(min=least, proof="Bound"), said)[0] == "Good"
    assert rows_needed(Value(Decimal("0.8"), n=10, k=8), Decimal("0.8"), 0.05) is None


def test_bounds_of_huge_counts_are_quick_and_hardly_differ_from_the_exact_ones() -> None:
    for k, n in ((1000, 2000), (1000, 10**4), (1000, 10**7), (99_000, 10**5), (10**5, 2 * 10**5)):
        for alpha in (0.05, 0.05 / 40):
            near = lower_bound(Value(Decimal(k) / n, n=n, k=k), alpha)
            exact = share_lower(k, n, alpha)
            assert near is not None and exact - 5 / n < near <= exact
    metrics = {f"s={i}": {"fpr": share(4 * 10**7 + i, 10**8)} for i in range(64)}
    bars = [bar("fpr", min="0.1", maxSpread="0.1", slices=["s=*"], proof="Bound")] * 32
    started = time.process_time()
    judge(report(slices=metrics), bars)
    assert time.process_time() - started < 2.0  # 0.1 s of CPU time, as a rule
