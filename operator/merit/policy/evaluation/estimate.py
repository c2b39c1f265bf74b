"""How sure a reported value is: one-sided bounds, and how many rows would prove a bar."""

from __future__ import annotations

import math
from decimal import Decimal
from functools import lru_cache
from statistics import NormalDist

from merit.evidence.bounds import lower as share_lower
from merit.evidence.bounds import surely_above, surely_within
from merit.policy.evaluation.report import Value

MOST_ROWS = 1e12
MANY = 1000  # successes and failures from which on the score bound does


def z_of(alpha: float) -> float:
    """The normal's (1 - alpha) quantile: 1.645 for 5 %."""
    return NormalDist().inv_cdf(1 - alpha)


# The same counts are looked at for the verdict, for its words and for several bars.
@lru_cache(maxsize=4096)
def _lower(k: int, n: int, alpha: float) -> float:
    """Of a share. A report may hold hundreds of huge counts, and the operator's loop waits."""
    if min(k, n - k) < MANY:
        return share_lower(k, n, alpha)
    # Wilson's bound with continuity correction; with two successes less never above the exact.
    p, z = (k - 2) / n, z_of(alpha)
    root = math.sqrt(z * z - 2 - 1 / n + 4 * p * (n * (1 - p) + 1))
    return max(0.0, (2 * n * p + z * z - 1 - z * root) / (2 * (n + z * z)))


def lower(value: Value, alpha: float) -> float | None:
    """The truth is at least this, with confidence 1 - alpha; None if nothing tells.

    Exact (Clopper-Pearson) for k of n, by the normal for a standard error.
    """
    if value.k is not None and value.n is not None:
        return _lower(value.k, value.n, alpha)
    if value.se is not None:
        return float(value.v) - z_of(alpha) * float(value.se)
    return None


def upper(value: Value, alpha: float) -> float | None:
    """The truth is at most this, with confidence 1 - alpha; None if nothing tells."""
    if value.k is not None and value.n is not None:
        return 1.0 - _lower(value.n - value.k, value.n, alpha)
    if value.se is not None:
        return float(value.v) + z_of(alpha) * float(value.se)
    return None


def rows_needed(value: Value, bar: Decimal, alpha: float) -> int | None:
    """About how many rows would prove this bar if the value stayed; None if no number would."""
    if value.n is None or value.v == bar:
        return None
    v, b = float(value.v), float(bar)
    if value.k is None:
        if value.se is None:
            return None
        return _rounded_up(value.n * (z_of(alpha) * float(value.se) / (v - b)) ** 2, value.n)
    rows = max(value.n + 1.0, v * (1 - v) * (z_of(alpha) / (v - b)) ** 2)
    while rows < MOST_ROWS:
        n = int(rows)
        # In whole rows, and on the careful side.
        proven = (
            surely_above(int(v * n), n, b, alpha)
            if v > b
            else surely_within(n - int((1 - v) * n), n, b, alpha)
        )
        if proven:
            return _rounded_up(rows, value.n)
        rows *= 1.05
    return None


def _rounded_up(rows: float, had: int) -> int | None:
    """To two digits, as nobody knows it better, and never as few as were not enough."""
    if rows > MOST_ROWS:
        return None
    unit: int = 10 ** max(0, len(str(int(rows))) - 2)
    return max(had + 1, math.ceil(rows / unit) * unit)
