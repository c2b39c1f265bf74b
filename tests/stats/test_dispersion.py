from __future__ import annotations

import random

import pytest

from merit.simulate.sampling import binomial, poisson
from merit.stats.counts import Counts
from merit.stats.dispersion import SAFETY, PodCounts, dispersion


def history(*, pods=4, minutes=360, rps=50.0, share=0.001, burst=1.0, shared=0.0, seed=1):
    """Pods' requests by the minute; bad ones come in bursts of that mean size in one pod."""
    rng = random.Random(seed)
    rows = [[] for _ in range(pods)]
    for _ in range(minutes):
        p = share + (0.05 if rng.random() < shared else 0.0)
        for row in rows:
            n = poisson(rng, rps / pods * 60)
            bad = binomial(rng, n, p)
            if burst > 1:
                bursts = poisson(rng, n * p / burst)
                sizes = (poisson(rng, rng.expovariate(1 / (burst - 1))) + 1 for _ in range(bursts))
                bad = min(n, sum(sizes))
            row.append(Counts(n, bad))
    return PodCounts({f"pod-{i}": row for i, row in enumerate(rows)})


def test_independent_requests_have_a_dispersion_of_about_one():
    assert SAFETY <= dispersion(history()) < 1.6


@pytest.mark.parametrize("burst", [4, 10, 30])
def test_bursts_are_found_in_about_their_size(burst):
    phi = dispersion(history(rps=200, burst=burst))
    assert burst < phi < 4 * burst


def test_what_all_pods_share_is_no_dispersion():
    assert dispersion(history(shared=0.07, seed=3)) < 1.6


def test_a_few_bad_requests_are_not_believed_to_be_independent():
    quiet = dispersion(history(share=0.0))
    assert quiet == pytest.approx(1.1 * 1.5)


@pytest.mark.parametrize("more", [{"pods": 1}, {"minutes": 59}, {"pods": 0}])
def test_without_two_pods_for_an_hour_nothing_is_known(more):
    assert dispersion(history(**more)) is None


def test_a_minute_that_was_not_scraped_is_left_out_and_not_taken_for_zero():
    full = history(minutes=120, burst=4, rps=200)
    torn = {
        pod: [None if (i + j) % 7 == 0 else cell for j, cell in enumerate(row)]
        for i, (pod, row) in enumerate(full.pods.items())
    }
    assert dispersion(PodCounts(torn)) > 2
    gone = {pod: [None] * 120 for pod in full.pods}
    assert dispersion(PodCounts(gone)) is None


def test_a_pod_that_serves_more_is_not_called_bursty():
    rng = random.Random(9)
    rows = {
        f"pod-{k}": [Counts(n, binomial(rng, n, 0.01)) for _ in range(200)]
        for k, n in enumerate((200, 2000))
    }
    assert dispersion(PodCounts(rows)) < 1.8
