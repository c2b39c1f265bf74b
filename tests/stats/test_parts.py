from __future__ import annotations

import math
import random
from decimal import Decimal

import pytest

from merit.policy.state.prices import PriceBook, Unpriced, parse_quantity, unit_price
from merit.simulate.sampling import binomial
from merit.stats.counts import Counts
from merit.stats.e_process import Betting, EProcess, bounded, log_e_increment, log_mean
from merit.stats.early_failure import EarlyFailure
from merit.stats.histogram import quantile
from merit.stats.ladder import first_step, ladder, margin
from merit.stats.non_inferiority import NonInferiority

BOOK = PriceBook("USD", Decimal("0.032"), Decimal("0.004"), {"nvidia.com/gpu": Decimal("2.5")})


def reaches(rng: random.Random, evidence, p_c: float, p_s: float) -> bool:
    """Whether an e-process ever reaches 20 on 120 scrapes."""
    for _ in range(120):
        canary = Counts(20, binomial(rng, 20, p_c))
        stable = Counts(60, binomial(rng, 60, p_s))
        evidence(canary, stable)
        if evidence.log_e() >= math.log(20):
            return True
    return False


class Worse:
    def __init__(self, r: float, d: float) -> None:
        self.e_process = EProcess(r, d, betting=Betting(phi=1.0, patience=30, cap=1e9, refill=1e9))
        self.log_e = self.e_process.log_e

    def __call__(self, canary: Counts, stable: Counts) -> None:
        self.e_process.update(canary, stable, seconds=5)


class NotWorse:
    def __init__(self, m: float, p: float) -> None:
        self.m, self.p, self.e_process = m, p, NonInferiority(1, phi=1.0)

    def log_e(self) -> float:
        return self.e_process.log_e(0)

    def __call__(self, canary: Counts, stable: Counts) -> None:
        self.e_process.update(canary, stable, seconds=5, margins=(self.m,), p=self.p, memory=50)


@pytest.mark.parametrize(("r", "d", "p_s"), [(1.1, 0.001, 0.02), (0.0, 0.02, 0.02), (1.0, 0, 0.05)])
def test_at_the_boundary_a_false_worse_is_as_rare_as_promised(r, d, p_s):
    rng = random.Random(7)
    false = sum(reaches(rng, Worse(r, d), r * p_s + d, p_s) for _ in range(200))
    assert false <= 18  # 5 % of 200 are 10; 18 is the upper 99 % bound


def test_at_the_boundary_a_false_proof_is_as_rare_as_promised():
    rng = random.Random(8)
    false = sum(reaches(rng, NotWorse(0.04, 0.02), 0.06, 0.02) for _ in range(200))
    assert false <= 18


def test_without_traffic_there_is_no_evidence():
    assert log_e_increment(7, 1.1, 0.001, Counts(), Counts(50, 3)) == 0
    assert log_e_increment(7, 1.1, 0.001, Counts(5, 5), Counts()) == 0


def test_e_values_are_averaged_not_added():
    assert log_mean([math.log(3), math.log(1)]) == pytest.approx(math.log(2))


def test_a_proven_canary_needs_about_as_many_requests_as_promised():
    evidence = NotWorse(0.02, 0.0001)
    needed = 0
    while evidence.log_e() < math.log(20):
        evidence(Counts(5, 0), Counts(95, 0))
        needed += 5
    assert 150 <= needed <= 220


def test_an_early_failure_needs_ten_seconds_ten_phi_failures_and_a_better_stable():
    window = EarlyFailure()
    window.update(Counts(40, 40), Counts(100, 1), seconds=5)
    assert not window.detected(3.0)
    window.update(Counts(), Counts(100, 1), seconds=60)
    assert not window.detected(3.0)
    window.update(Counts(40, 30), Counts(100, 1), seconds=5)
    assert window.detected(3.0) and not window.detected(10.0)
    window.update(Counts(40, 30), Counts(100, 60), seconds=5)
    assert not window.detected(1.0)


def test_the_ladder_ends_below_the_holdback():
    assert ladder((1, 5, 10, 25, 50), 10) == (1, 5, 10, 25, 50, 90)
    assert ladder((50, 95), 10) == (50, 90)
    assert ladder((10, 100), 0) == (10, 100)


@pytest.mark.parametrize(
    ("rps", "explicit", "step"),
    [
        (200, False, 0),
        (20, False, 1),
        (2, False, 3),
        (0.1, False, 3),
        (2, True, 0),
        (None, False, 0),
    ],
)
def test_a_rollout_begins_where_evidence_flows_and_never_above_25_percent(rps, explicit, step):
    assert first_step((1, 5, 10, 25, 50, 90), rps, explicit) == step


def test_the_margin_is_what_the_blast_radius_leaves_at_that_weight():
    def at(step, rps):
        return margin((1, 10, 50, 90), step, blast_radius=0.01, rps=rps)

    assert (at(0, 200), at(1, 200)) == (0.5, pytest.approx(0.1))
    assert at(2, 1) == pytest.approx(0.1)


def test_the_last_step_is_proven_for_all_of_the_traffic_which_follows_without_a_proof():
    for rungs in ((50, 90), (50, 60), (100,)):
        assert margin(rungs, len(rungs) - 1, blast_radius=0.01, rps=200) == pytest.approx(0.01)


def test_quantiles_are_interpolated_and_saturation_is_said():
    inf = math.inf
    assert quantile(0.99, {0.1: 98, 0.25: 100, inf: 100}) == "175ms"
    assert quantile(0.99, {0.1: 50, 10.0: 60, inf: 100}) == ">= 10s"
    assert quantile(0.5, {0.1: 0, inf: 0}) is None
    assert quantile(0.5, {}) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [("250m", "0.25"), ("1.5", "1.5"), ("2Gi", str(2 * 1024**3)), ("1e3", "1000"), ("1E", "1e18")],
)
def test_quantities_are_read_as_kubernetes_writes_them(text, value):
    assert parse_quantity(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "two", "1XiB", "-", "1Gib", None, True])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(ValueError, match="quantit"):
        parse_quantity(text)


def container(cpu="1", memory="2Gi", **more):
    return {"name": "c", "resources": {"requests": {"cpu": cpu, "memory": memory, **more}}}


def test_a_replica_costs_what_its_containers_request():
    pod = {
        "spec": {"containers": [container(), container("500m", "1Gi", **{"nvidia.com/gpu": "1"})]}
    }
    assert unit_price(pod, BOOK) == Decimal("1.5") * BOOK.cpu_hour + 3 * BOOK.memory_gib_hour + (
        Decimal("2.5")
    )


def test_init_containers_cost_only_what_they_need_beyond_the_rest():
    pod = {"spec": {"containers": [container()], "initContainers": [container("3", "1Gi")]}}
    assert unit_price(pod, BOOK) == 3 * BOOK.cpu_hour + 2 * BOOK.memory_gib_hour


def test_a_sidecar_adds_up():
    sidecar = container() | {"restartPolicy": "Always"}
    pod = {"spec": {"containers": [container()], "initContainers": [sidecar]}}
    assert unit_price(pod, BOOK) == 2 * BOOK.cpu_hour + 4 * BOOK.memory_gib_hour


@pytest.mark.parametrize(
    ("pod", "reason"),
    [
        ({"spec": {"containers": [{"name": "c"}]}}, "NoRequests"),
        ({}, "NoRequests"),
        ({"spec": {"containers": [container(cpu="lots")]}}, "NoRequests"),
        ({"spec": {"containers": [container(**{"amd.com/gpu": "1"})]}}, "NoPrice"),
    ],
)
def test_what_cannot_be_priced_is_never_free(pod, reason):
    price = unit_price(pod, BOOK)
    assert isinstance(price, Unpriced) and price.reason == reason


def test_a_log_e_value_that_is_no_number_is_no_evidence() -> None:
    assert bounded(math.nan) == 0.0
    assert bounded(math.inf) > 0 > bounded(-math.inf)
