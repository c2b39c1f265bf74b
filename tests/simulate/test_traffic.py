from __future__ import annotations

import math
from random import Random
from statistics import mean, pvariance

import pytest

from bench.plans import plan_at, service_of
from merit.simulate.sampling import binomial, bursts, poisson
from merit.simulate.scenarios import CLUMPED, DEFECTS, HEALTHY, Scenario
from merit.simulate.service import Service, default_service, share_beyond, share_when_slower
from merit.simulate.traffic import Traffic, pod_history
from merit.stats.dispersion import dispersion
from merit.stats.signal import Bar

SERVICE = service_of(plan_at(200))


@pytest.mark.parametrize("expected", [0.3, 7.0, 80.0])
def test_poisson_counts_have_their_mean_as_variance(expected):
    rng = Random(1)
    drawn = [poisson(rng, expected) for _ in range(4000)]
    assert mean(drawn) == pytest.approx(expected, rel=0.06)
    assert pvariance(drawn) == pytest.approx(expected, rel=0.12)


@pytest.mark.parametrize(("n", "p"), [(30, 0.1), (2000, 0.001), (10_000, 0.05), (50, 0.9)])
def test_binomial_counts_have_the_right_mean_and_variance(n, p):
    rng = Random(2)
    drawn = [binomial(rng, n, p) for _ in range(4000)]
    assert mean(drawn) == pytest.approx(n * p, rel=0.05)
    assert pvariance(drawn) == pytest.approx(n * p * (1 - p), rel=0.12)
    assert (binomial(rng, 5, 0), binomial(rng, 5, 1), binomial(rng, 0, 0.5)) == (0, 5, 0)


def test_bursts_keep_the_mean_and_are_as_wide_as_their_size_says():
    rng = Random(3)
    drawn = [bursts(rng, 10_000, 0.004, 4.0) for _ in range(6000)]
    assert mean(drawn) == pytest.approx(40, rel=0.05)
    assert pvariance(drawn) / 40 == pytest.approx(2 * 4 - 1, rel=0.15)


def totals(scenario, *, rps=200, weight=0.1, ticks=240, service=SERVICE):
    """(requests, bad per bar) of candidate and of stable over 20 minutes."""
    traffic = Traffic(scenario, service, rps, 7)
    n, bad = [0, 0], [[0, 0] for _ in service.bars]
    for k in range(ticks):
        tick = traffic.step(k * 5.0, weight)
        for arm in (0, 1):
            n[arm] += tick.n[arm]
            for i, pair in enumerate(tick.bad):
                bad[i][arm] += pair[arm]
    return n, bad


def test_clean_traffic_is_split_by_weight_and_as_bad_as_stable_is():
    n, ((e_c, e_s), (s_c, s_s)) = totals(Scenario())
    assert sum(n) == pytest.approx(240_000, rel=0.02) and n[0] == pytest.approx(24_000, rel=0.03)
    assert (e_s / n[1], s_s / n[1]) == pytest.approx((0.001, 0.0037), rel=0.2)
    assert (e_c / n[0], s_c / n[0]) == pytest.approx((0.001, 0.0037), rel=0.5)


@pytest.mark.parametrize(
    "scenario", [k for k in HEALTHY if k.name not in ("cold start", "one blip")]
)
def test_in_healthy_traffic_both_revisions_are_equally_bad(scenario):
    n, bad = totals(scenario, ticks=720, weight=0.5)
    for candidate, stable in bad:
        assert candidate / n[0] == pytest.approx(stable / n[1], rel=0.5)


def test_each_defect_makes_the_candidate_worse_at_the_one_thing_it_is_about():
    errors, latency = 0, 1
    for scenario in DEFECTS:
        n, bad = totals(scenario)
        about, other = (latency, errors) if scenario.slower != 1 else (errors, latency)
        assert bad[about][0] / n[0] > 2 * bad[about][1] / n[1], scenario.name
        assert bad[other][0] / n[0] < 2.5 * bad[other][1] / n[1] + 0.001, scenario.name


def test_latency_that_grows_by_a_factor_moves_the_share_beyond_the_bound_as_known():
    assert share_when_slower(0.0037, 1.2) == pytest.approx(0.0100, abs=0.0002)
    assert share_when_slower(0.0037, 2.0) == pytest.approx(0.0903, abs=0.0006)
    assert share_when_slower(0.0037, 1.0) == 0.0037
    assert share_beyond(0.01, 1.0) == pytest.approx(0.01)
    assert share_beyond(0.01, 100 / 120) == pytest.approx(0.0037, abs=0.0001)


def test_requests_beyond_a_tight_bound_are_among_those_beyond_a_loose_one():
    bars = (Bar("latency/p50", 0.5), Bar("latency/p99", 0.01), Bar("latency/p90", 0.1))
    traffic = Traffic(Scenario(slower=1.5), default_service(bars), 100, 1)
    for k in range(50):
        half, one, ten = traffic.step(k * 5.0, 0.5).bad
        for arm in (0, 1):
            assert one[arm] <= ten[arm] <= half[arm]


def test_the_same_seed_gives_the_same_traffic_and_another_seed_another():
    def first(seed):
        traffic = Traffic(CLUMPED, SERVICE, 50, seed)
        return [traffic.step(k * 5.0, 0.2) for k in range(20)]

    assert first(1) == first(1) != first(2)


def test_the_history_of_pods_shows_the_dispersion_of_the_service():
    clean = dispersion(pod_history(Scenario(), SERVICE, 200, 1)["errors"])
    clumped = dispersion(pod_history(CLUMPED, SERVICE, 200, 1)["errors"])
    assert clean < 2 and 4 < clumped < 16
    shared = dispersion(pod_history(HEALTHY[2], SERVICE, 200, 1)["latency/p99"])
    assert shared < 2


def test_stable_usage_is_a_part_of_what_the_bars_tolerate():
    stable_usage = Scenario(stable_usage=0.6).of(SERVICE)
    assert stable_usage.shares == {"errors": 0.006, "latency/p99": pytest.approx(0.006)}
    assert isinstance(stable_usage, Service) and math.isclose(SERVICE.shares["errors"], 0.001)
