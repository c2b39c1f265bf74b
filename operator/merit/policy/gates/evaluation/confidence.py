"""One-sided confidence bounds of a reported value, and how many rows would prove a bar."""

from __future__ import annotations

import math
from decimal import Decimal
from functools import lru_cache
from statistics import NormalDist

from merit.policy.gates.evaluation.report import Value
from merit.stats.bounds import lower_bound as share_lower
from merit.stats.bounds import surely_above, surely_within

MOST_ROWS = 1e12
MANY = 1000  # successes and failures from which on the score bound is close enough


def z_of(alpha: float) -> float:
    """The normal's (1 - alpha) quantile: 1.645 for 5 %."""
    return NormalDist().inv_cdf(1 - alpha)


# The same counts are used for the verdict, for its message and for several bars.
@lru_cache(maxsize=4096)
def _share_lower_bound(k: int, n: int, alpha: float) -> float:
    """The lower bound of a share: exact while counts are small, else approximate and cheap.

    A report may hold hundreds of huge counts, and the operator's event loop waits meanwhile.
    """
    if min(k, n - k) < MANY:
        return share_lower(k, n, alpha)
    # Wilson's score bound with continuity correction, as in Newcombe (1998), Statistics in Medicine
    # 17, 857-872; with two successes less it is never above the exact one.
    p, z = (k - 2) / n, z_of(alpha)
    root = math.sqrt(z * z - 2 - 1 / n + 4 * p * (n * (1 - p) + 1))
    return max(0.0, (2 * n * p + z * z - 1 - z * root) / (2 * (n + z * z)))


def lower_bound(value: Value, alpha: float) -> float | None:
    """The true value is at least this, with confidence 1 - alpha; None without k of n or `se`.

    Clopper and Pearson's exact bound for k of n, the normal approximation for a standard error.
    """
    if value.k is not None and value.n is not None:
        return _share_lower_bound(value.k, value.n, alpha)
    if value.se is not None:
        return float(value.v) - z_of(alpha) * float(value.se)
    return None


def upper_bound(value: Value, alpha: float) -> float | None:
    """The true value is at most this, with confidence 1 - alpha; None without k of n or `se`."""
    if value.k is not None and value.n is not None:
        return 1.0 - _share_lower_bound(value.n - value.k, value.n, alpha)
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
        # Counts are whole, so they are rounded towards "not proven".
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
    """To two digits, as it is an estimate, and more than the `had` rows that were not enough."""
    if rows > MOST_ROWS:
        return None
    unit: int = 10 ** max(0, len(str(int(rows))) - 2)
    return max(had + 1, math.ceil(rows / unit) * unit)
