"""Exact one-sided bounds on a share: what k of n trials say about the true share.

The Clopper-Pearson interval: its coverage is at least 1 - alpha whatever the true share is, and it
assumes only that the n trials are independent. Standard library only: the load generator's
container imports it too. Sources: docs/concepts/statistics.md, "Exact bounds on a share" (Clopper
and Pearson; Hanley and Lippman-Hand; Lentz).
"""

from __future__ import annotations

import math

ALPHA = 0.05  # one-sided: each bound holds with 95 %
_MAX_TRIALS = 10**8  # more change no digit that is shown; fewer only widen a bound
_STEPS = 48  # of bisection: as exact as the tail itself
_TINY = 1e-300


def lower_bound(k: int, n: int, alpha: float = ALPHA) -> float:
    """The true share is at least this, with confidence 1 - alpha. 0 <= k <= n, n >= 1."""
    k, n = _checked(k, n)
    low, high = 0.0, 1.0
    for _ in range(_STEPS if k > 0 else 0):
        middle = (low + high) / 2
        if binomial_tail(k, n, middle) < alpha:
            low = middle
        else:
            high = middle
    return low


def upper_bound(k: int, n: int, alpha: float = ALPHA) -> float:
    """The true share is at most this, with confidence 1 - alpha. 0 <= k <= n, n >= 1."""
    return 1.0 - lower_bound(n - k, n, alpha)


def binomial_tail(k: int, n: int, p: float) -> float:
    """P(X >= k) of a binomial X: n trials of probability p each."""
    if k <= 0:
        return 1.0
    if k > n or p <= 0.0:
        return 0.0
    if p >= 1.0:
        return 1.0
    return _beta(p, k, n - k + 1)


def surely_above(k: int, n: int, bar: float, alpha: float = ALPHA) -> bool:
    """Whether the lower bound is above the bar: one tail instead of a search for the bound."""
    k, n = _checked(k, n)
    return k > 0 and binomial_tail(k, n, bar) < alpha


def surely_within(k: int, n: int, bar: float, alpha: float = ALPHA) -> bool:
    """Whether the upper bound is at or below the bar."""
    return bar >= 1.0 or surely_above(n - k, n, 1.0 - bar, alpha)


def trials_without_failure(bar: float, alpha: float = ALPHA) -> int:
    """The zero-failure rule: how many trials without one bad put the upper bound at the bar.

    299 for a bar of 1 %. Raises ValueError for a bar of 0.
    """
    if bar <= 0.0:
        raise ValueError("no number of trials proves a share of 0")
    if bar >= 1.0:
        return 1
    needed = max(1, math.floor(math.log(alpha) / math.log1p(-bar)))
    while not surely_within(0, needed, bar, alpha):
        needed += 1
    return needed


def _checked(k: int, n: int) -> tuple[int, int]:
    if n < 1 or not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is no share")
    return (k, n) if n <= _MAX_TRIALS else (k * _MAX_TRIALS // n, _MAX_TRIALS)


def _beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function, 0 < x < 1: Lentz's continued fraction."""
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    if x < (a + 1) / (a + b + 2):
        return min(1.0, front * _fraction(x, a, b) / a)
    return max(0.0, 1.0 - front * _fraction(1.0 - x, b, a) / b)


def _fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, _inverse(1.0 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, 200_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = _inverse(1.0 + term * d)
            c = 1.0 + term / c
            if abs(c) < _TINY:
                c = _TINY
            value *= d * c
        if abs(d * c - 1.0) < 1e-14:
            break
    return value


def _inverse(value: float) -> float:
    return 1.0 / (value if abs(value) >= _TINY else _TINY)
