from __future__ import annotations

import json
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from merit.stats import burn_in as baseline
from merit.stats.bin_e_process import BETS, BinEProcess
from merit.stats.drift import SENSITIVITIES, bias, distances, judge, minimum_samples
from merit.stats.histogram import (
    OTHER_CLASS,
    Histogram,
    coarse_edges,
    from_buckets,
    from_classes,
    restored,
)

DECILES = tuple([-1.2816, -0.8416, -0.5244, -0.2533, 0.0, 0.2533, 0.5244, 0.8416, 1.2816, math.inf])


def normal(rng, n, shift=0.0):
    """A score of standard normal shape on its ten deciles, its mean moved by `shift`."""
    counts = [0] * len(DECILES)
    for _ in range(n):
        x = rng.gauss(shift, 1.0)
        counts[next(i for i, edge in enumerate(DECILES) if x <= edge)] += 1
    return Histogram(DECILES, tuple(counts))


def exact(shift, n=10**9):
    """The same without noise."""

    def below(x):
        return 0.5 * (1 + math.erf((x - shift) / math.sqrt(2)))

    shares = [below(b) - below(a) for a, b in zip((-math.inf, *DECILES), DECILES, strict=False)]
    return Histogram(DECILES, tuple(share * n for share in shares))


@pytest.mark.parametrize(
    ("shift", "psi", "js", "ks"),
    [(0.1, 0.010, 0.035, 0.040), (0.32, 0.098, 0.110, 0.127), (0.5, 0.238, 0.170, 0.197),
     (1.0, 0.926, 0.326, 0.383)],
)  # fmt: skip
def test_a_shift_of_the_mean_has_the_known_size_on_every_scale(shift, psi, js, ks):
    found = distances(exact(shift), exact(0.0))
    assert (found.psi, found.js, found.ks) == pytest.approx((psi, js, ks), abs=0.001)


@pytest.mark.parametrize("name", SENSITIVITIES)
def test_each_sensitivity_means_the_same_shift_on_all_three_scales(name):
    thresholds = SENSITIVITIES[name]
    found = distances(exact(thresholds.shift), exact(0.0))
    assert found.psi == pytest.approx(thresholds.psi, rel=0.08)
    assert found.js == pytest.approx(thresholds.js, rel=0.08)
    assert found.ks == pytest.approx(thresholds.ks, rel=0.08)


def test_without_drift_psi_is_corrected_to_nothing_and_uncorrected_it_is_not():
    rng = random.Random(1)
    values = [distances(normal(rng, 200), normal(rng, 2000)).psi for _ in range(60)]
    assert sum(values) / 60 < bias(10, 200, 2000) / 2
    assert bias(10, 200, 2000) == pytest.approx(0.0495)


def test_with_too_few_samples_there_is_no_data_and_the_answer_says_how_many_it_takes():
    rng = random.Random(2)
    drift = judge(normal(rng, 400, 1.0), normal(rng, 6000), "Medium")
    assert (drift.kind, drift.reason) == ("NoData", "TooFewSamples")
    assert drift.message == "400 samples against 6,000; needs 1,000 against 5,000"


def test_windows_without_drift_are_good_and_shifted_ones_are_bad():
    rng = random.Random(3)
    reference = normal(rng, 6000)
    calm = [judge(normal(rng, 1000), reference, "Medium").kind for _ in range(40)]
    assert calm == ["Good"] * 40
    drift = judge(normal(rng, 3000, 0.5), reference, "Medium")
    assert (drift.kind, drift.reason) == ("Bad", "Drifted")
    assert drift.message.startswith("PSI 0.2") and "3,000 samples against 6,000" in drift.message
    assert judge(normal(rng, 20000, 0.25), reference, "High").kind == "Bad"
    assert judge(normal(rng, 20000, 0.25), reference, "Medium").kind == "Good"


def test_the_hard_floor_follows_the_number_of_bins_and_the_mark():
    assert minimum_samples(10, 0.10) == 1000
    assert minimum_samples(20, 0.05) == pytest.approx(1017, abs=5)
    assert minimum_samples(10, 0.01) == pytest.approx(
        3373, rel=0.02
    )  # chi-squared, 9 degrees of freedom: 33.73


def test_other_edges_are_no_data_and_finer_ones_are_merged():
    reference = Histogram((0.5, 1.0, math.inf), (3000.0, 3000.0, 0.0))
    finer = Histogram((0.25, 0.5, 0.75, 1.0, math.inf), (750.0, 750.0, 750.0, 750.0, 0.0))
    assert distances(finer, reference).psi == 0
    other = Histogram((0.4, 1.0, math.inf), (1500.0, 1500.0, 0.0))
    assert judge(other, reference, "Low").reason == "EdgesChanged"


def test_buckets_become_bins_and_a_torn_scrape_is_never_negative():
    whole = from_buckets({0.5: 10, 1.0: 25, math.inf: 30})
    assert whole == Histogram((0.5, 1.0, math.inf), (10.0, 15.0, 5.0))
    torn = from_buckets({0.5: 10, 1.0: 8, math.inf: 12})
    assert torn.counts == (10.0, 0.0, 2.0) and torn.n == 12
    assert from_buckets({0.5: 10}) is None and from_buckets({}) is None
    assert from_buckets({0.5: math.nan, math.inf: 3}) is None


def test_neighbours_are_merged_down_to_twenty_bins_by_the_reference_alone():
    fine = Histogram((*range(49), math.inf), tuple(float(i % 7) for i in range(50)))
    edges = coarse_edges(fine)
    assert len(edges) == 20 and edges[-1] == math.inf
    assert fine.rebinned(edges).n == fine.n


def merged_one_by_one(counts: list[float], most: int) -> tuple[float, ...]:
    """The same bins by the obvious loop, whose time is the square of the number of bins."""
    edges, counts = [*range(len(counts) - 1), math.inf], list(counts)
    while len(edges) > most:
        i = min(range(len(edges) - 1), key=lambda i: counts[i] + counts[i + 1])
        counts[i : i + 2] = [counts[i] + counts[i + 1]]
        edges.pop(i)
    return tuple(edges)


@given(st.lists(st.sampled_from((0.0, 1.0, 2.0, 2.5, 7.0, 40.0)), min_size=1, max_size=40))
def test_the_emptiest_neighbours_are_merged_first_and_of_equal_ones_those_in_front(counts):
    fine = Histogram((*range(len(counts) - 1), math.inf), tuple(counts))
    assert coarse_edges(fine, most=5) == merged_one_by_one(counts, 5)


class CountedFloat(float):
    """A number that counts additions."""

    additions = 0

    def __add__(self, other):
        CountedFloat.additions += 1
        return CountedFloat(float(self) + float(other))


def test_the_work_of_merging_bins_does_not_grow_with_the_square_of_their_number():
    rng = random.Random(3)
    counts = tuple(CountedFloat(rng.randrange(1000)) for _ in range(3000))
    CountedFloat.additions = 0
    assert len(coarse_edges(Histogram((*range(2999), math.inf), counts))) == 20
    assert CountedFloat.additions < 10 * len(counts)


def test_classes_work_like_bins_have_no_order_and_a_new_class_is_seen():
    reference = from_classes({"cat": 4000, "dog": 4000})
    assert distances(from_classes({"cat": 1500, "dog": 1500}), reference).ks is None
    assert judge(from_classes({"cat": 1500, "dog": 1500}), reference, "Medium").kind == "Good"
    new = judge(from_classes({"cat": 1500, "dog": 1000, "bird": 500}), reference, "Medium")
    assert new.kind == "Bad" and "KS" not in new.message
    gone = from_classes({"cat": 3000})
    assert distances(gone, reference).largest == pytest.approx(0.5)


def test_rare_classes_share_one_bin():
    many = from_classes({f"c{i:02}": 1000 - i for i in range(40)})
    edges = coarse_edges(many)
    assert len(edges) == 20 and edges[-1] == OTHER_CLASS
    assert many.rebinned(edges).n == many.n


def observe(e_process, rng, rps, shares, seconds=900, concurrent=None):
    """Seconds until it is shifted at 99 %, or None."""
    for scrape in range(int(seconds / 15)):
        arms = [sampled(rng, rps, shares), sampled(rng, rps, concurrent) if concurrent else None]
        assert e_process.update(*arms)
        if e_process.log_e() >= math.log(100):
            return (scrape + 1) * 15
    return None


def sampled(rng, rps, shares):
    n = round(rps * 15)
    counts = [0] * len(shares)
    for i in rng.choices(range(len(shares)), shares, k=n):
        counts[i] += 1
    return Histogram(DECILES, tuple(counts))


FLAT = [0.1] * 10
TILTED = [math.exp(0.155 * i) for i in range(10)]  # a PSI of 0.19 against FLAT


@pytest.mark.parametrize(("rps", "within"), [(50, 45), (5, 400)])
def test_the_bin_e_process_finds_a_shift_soon_and_never_in_quiet_traffic(rps, within):
    rng, reference = random.Random(4), Histogram(DECILES, (1000.0,) * 10)
    quiet = [observe(BinEProcess(reference), rng, rps, FLAT) for _ in range(15)]
    assert quiet == [None] * 15
    found = sorted(observe(BinEProcess(reference), rng, rps, TILTED) or 1e9 for _ in range(15))
    assert found[7] <= within


def test_the_bin_e_process_compares_two_arms_in_the_same_minutes():
    rng, bins = random.Random(5), Histogram(DECILES, (1000.0,) * 10)
    both = [observe(BinEProcess(bins), rng, 50, TILTED, concurrent=TILTED) for _ in range(10)]
    assert both == [None] * 10  # against the frozen reference this would be a shift
    assert observe(BinEProcess(bins), rng, 50, TILTED, concurrent=FLAT) <= 300


def test_the_bin_e_process_ignores_what_does_not_fit_and_needs_a_reference():
    rng, e_process = random.Random(6), BinEProcess(Histogram(DECILES, (1000.0,) * 10))
    assert e_process.update(sampled(rng, 5, TILTED))
    before = list(e_process.logs)
    assert not e_process.update(Histogram((1.0, math.inf), (5.0, 5.0)))
    assert e_process.logs == before and len(before) == 10 * len(BETS)
    with pytest.raises(ValueError):
        BinEProcess(Histogram(DECILES, (0.0,) * 10))


def test_a_burst_in_one_scrape_does_not_shift_the_e_process_alone():
    reference = Histogram(DECILES, (1000.0,) * 10)
    e_process = BinEProcess(reference)
    e_process.update(Histogram(DECILES, (0.0,) * 9 + (100_000.0,)))
    assert e_process.log_e() < math.log(100)


def test_the_first_day_becomes_the_baseline_and_then_stands_still():
    hour = Histogram(DECILES, (30.0,) * 10)
    burn = baseline.begin(1000.0)
    for i in range(23):
        burn = burn.add(hour, 1000.0 + 3600 * (i + 1))
    assert not burn.frozen and burn.histogram.n == 6900
    burn = burn.add(hour, 1000.0 + 86400)
    assert burn.frozen
    assert burn.add(hour, 1000.0 + 90000) == burn
    assert baseline.restore(json.loads(json.dumps(burn.to_status()))) == burn
    assert restored(burn.histogram.to_status()) == burn.histogram


def test_a_busy_service_needs_no_day_and_other_edges_begin_anew():
    burn = baseline.begin(0.0).add(Histogram(DECILES, (2500.0,) * 10), 60.0)
    assert burn.frozen
    slow = baseline.begin(0.0).add(Histogram(DECILES, (10.0,) * 10), 60.0)
    again = slow.add(Histogram((1.0, math.inf), (5.0, 5.0)), 120.0)
    assert (again.since, again.histogram.n) == (60.0, 10)
    with pytest.raises(ValueError):
        baseline.restore({"since": "0"})
