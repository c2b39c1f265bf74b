"""Exact bounds: against the definition, against sums of the binomial, and by their coverage."""

from __future__ import annotations

import bisect
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from merit.stats.bounds import (
    ALPHA,
    binomial_tail,
    lower_bound,
    surely_above,
    surely_within,
    trials_without_failure,
    upper_bound,
)


def tail(k: int, n: int, p: float) -> float:
    """P(X >= k), summed term by term."""
    terms = (
        math.exp(
            math.lgamma(n + 1)
            - math.lgamma(i + 1)
            - math.lgamma(n - i + 1)
            + i * math.log(p)
            + (n - i) * math.log1p(-p)
        )
        for i in range(k, n + 1)
    )
    return math.fsum(terms)


@settings(deadline=None, max_examples=50)
@given(
    n=st.integers(1, 400),
    share=st.floats(0, 1),
    p=st.floats(0.001, 0.999),
)
def test_the_tail_is_the_sum_of_the_binomial(n: int, share: float, p: float) -> None:
    k = round(share * n)
    assert binomial_tail(k, n, p) == pytest.approx(tail(k, n, p), rel=1e-9, abs=1e-12)


@settings(deadline=None, max_examples=50)
@given(n=st.integers(1, 100_000), share=st.floats(0, 1))
def test_a_bound_is_where_the_observed_count_becomes_unlikely(n: int, share: float) -> None:
    k = round(share * n)
    low, high = lower_bound(k, n), upper_bound(k, n)
    assert 0.0 <= low <= k / n <= high <= 1.0
    if k:
        assert binomial_tail(k, n, low) == pytest.approx(ALPHA, rel=1e-6)
    if k < n:
        assert 1.0 - binomial_tail(k + 1, n, high) == pytest.approx(ALPHA, rel=1e-6)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [
        # By hand: 0 of n is 1 - 0.05^(1/n), n of n its mirror; the middle ones from tables.
        (0, 10, 0.0, 1 - 0.05**0.1),
        (10, 10, 0.05**0.1, 1.0),
        (1, 1, 0.05, 1.0),
        (5, 10, 0.2224, 0.7776),
        (0, 299, 0.0, 0.009969),
    ],
)
def test_known_bounds(k: int, n: int, low: float, high: float) -> None:
    assert lower_bound(k, n) == pytest.approx(low, abs=5e-5)
    assert upper_bound(k, n) == pytest.approx(high, abs=5e-5)


@settings(deadline=None, max_examples=50)
@given(n=st.integers(1, 20_000), share=st.floats(0, 1), bar=st.floats(0.001, 0.999))
def test_asking_about_a_bar_is_comparing_the_bound_with_it(
    n: int, share: float, bar: float
) -> None:
    k = round(share * n)
    if abs(lower_bound(k, n) - bar) > 1e-9:
        assert surely_above(k, n, bar) == (lower_bound(k, n) > bar)
    if abs(upper_bound(k, n) - bar) > 1e-9:
        assert surely_within(k, n, bar) == (upper_bound(k, n) <= bar)


@pytest.mark.parametrize(("bar", "needed"), [(0.01, 299), (0.05, 59), (0.5, 5), (0.001, 2995)])
def test_so_many_clean_requests_prove_a_bar(bar: float, needed: int) -> None:
    assert trials_without_failure(bar) == needed
    assert surely_within(0, needed, bar) and not surely_within(0, needed - 1, bar)


@pytest.mark.parametrize("n", [30, 300, 3_000, 100_000])
@pytest.mark.parametrize("p", [0.0005, 0.02, 0.5, 0.98, 0.9995])
def test_each_bound_covers_the_truth_in_at_least_95_of_100_runs(n: int, p: float) -> None:
    """Exactly: the weight of all outcomes whose bound misses, instead of a sample of them."""
    # The bounds grow with k, so what misses is a tail on either side.
    centre, wide = round(n * p), 12 * math.isqrt(int(n * p * (1 - p)) + 9)
    ks = range(max(0, centre - wide), min(n, centre + wide) + 1)
    too_high = bisect.bisect_left(ks, True, key=lambda k: lower_bound(k, n) > p)
    too_low = bisect.bisect_left(ks, True, key=lambda k: upper_bound(k, n) >= p)
    if too_high < len(ks):
        assert binomial_tail(ks[too_high], n, p) <= ALPHA
    if too_low > 0:
        assert 1.0 - binomial_tail(ks[too_low - 1] + 1, n, p) <= ALPHA + 1e-12


def test_counts_beyond_all_measure_only_widen_the_bound() -> None:
    n = 2**53
    rng = random.Random("bounds")
    for _ in range(20):
        k = rng.randrange(n)
        assert lower_bound(k, n) <= k / n <= upper_bound(k, n)
        assert upper_bound(k, n) - lower_bound(k, n) < 0.001


@pytest.mark.parametrize(("k", "n"), [(1, 0), (-1, 5), (6, 5)])
def test_what_is_no_share_is_refused(k: int, n: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        lower_bound(k, n)
