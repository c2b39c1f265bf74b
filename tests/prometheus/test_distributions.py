"""Drift from a real histogram of real scores: what shifts is what is sent to the server."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from merit.policy.state.measurements import Distribution, Pair
from merit.prometheus import distributions
from merit.prometheus.answer import Answer, Series
from merit.prometheus.distributions import (
    ENOUGH,
    DistributionMetric,
    Distributions,
    _with_enough,
)
from merit.prometheus.pods import Pods
from merit.prometheus.preset import load_preset
from merit.stats.counts import NoSample
from merit.stats.drift import judge
from merit.stats.histogram import Histogram
from tests.prometheus.real import TRIES
from tests.prometheus.scoring_model import (
    NEW,
    OLD,
    SCORE,
    ScoringModel,
    reference,
)

CHANNEL = DistributionMetric("model_channel_total", "channel")
WINDOW = 8.0


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = ScoringModel(tmp_path_factory.mktemp("drift"))
    yield world
    world.prometheus.close()
    world.exporter.close()


async def read(reader: Distributions, metric: DistributionMetric, least: float) -> Distribution:
    """The window once it holds so many samples."""
    for _ in range(TRIES):
        await reader.round(0.0)
        found = reader.windows("risk", "fraud", "bbbbbbbb", metric, 0.0)
        if isinstance(found, Distribution) and found.windows[min(found.windows)].n >= least:
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(found)


async def test_shifted_inputs_are_drift_and_the_same_inputs_are_none(world):
    reader, baseline = world.reader(WINDOW), reference()
    assert isinstance(reader.windows("risk", "fraud", "bbbbbbbb", SCORE, 0.0), NoSample)
    world.send(OLD, 1, "first")
    await world.scraped("model_requests_total", "fraud-b", 1)
    world.send(OLD, 3000, "monday")
    same = await read(reader, SCORE, 2500)
    found = judge(same.windows[WINDOW], baseline, "Medium")
    # increase() extrapolates a burst at the window's edge: counts are about right, shares exact.
    assert found.kind == "Good" and found.distances.n == pytest.approx(3000, rel=0.5), found
    # Payments become four times as large: what the model says follows from what it is sent.
    await world.prometheus.seen(f"-sum(increase(model_prediction_score_count[{WINDOW:.0f}s]))", -1)
    world.send(OLD, 3000, "tuesday", shift=4.0)
    other = await read(reader, SCORE, 2500)
    found = judge(other.windows[WINDOW], baseline, "Medium")
    assert found.kind == "Bad", found
    assert found.distances.ks > 0.2 and found.distances.js > 0.11


async def test_classes_work_like_bins_and_a_longer_window_is_read_where_samples_are_few(world):
    reader = world.reader(WINDOW, 3600.0)
    reader.windows("risk", "fraud", "bbbbbbbb", CHANNEL, 0.0)
    world.send(OLD, 10, "few")
    await reader.round(0.0)
    found = reader.windows("risk", "fraud", "bbbbbbbb", CHANNEL, 0.0)
    assert isinstance(found, Distribution) and 3600.0 in found.windows
    long = found.windows[3600.0]
    assert not long.ordered and {"web", "app", "store", "phone"} <= set(long.edges)
    assert long.n > found.windows.get(WINDOW, long).n or len(found.windows) == 1


async def test_a_candidate_that_predicts_otherwise_is_found_in_the_same_minutes(world, monkeypatch):
    monkeypatch.setattr(distributions, "MINUTE", 4.0)
    reader = world.reader(WINDOW)
    arms = {"candidate": "aaaaaaaa", "stable": "bbbbbbbb", "metric": SCORE, "now": 0.0}
    reader.pair("risk", "fraud", **arms)
    for turn in range(TRIES):
        # The same payments for both, a part for the candidate.
        world.send(OLD, 90, f"turn-{turn}")
        world.send(NEW, 30, f"turn-{turn}")
        await reader.minute(0.0)
        pair = reader.pair("risk", "fraud", **arms)
        if isinstance(pair, Pair) and pair.log_e > 4.6:
            break
        await asyncio.sleep(0.25)
    assert isinstance(pair, Pair) and pair.log_e > 4.6, pair
    assert pair.stable.n > pair.candidate.n > 0


async def test_a_server_without_that_histogram_is_no_series(world):
    reader = world.reader(WINDOW)
    metric = DistributionMetric("nowhere")
    reader.windows("risk", "fraud", "bbbbbbbb", metric, 0.0)
    await reader.round(0.0)
    found = reader.windows("risk", "fraud", "bbbbbbbb", metric, 0.0)
    assert isinstance(found, NoSample) and found.reason == "NoSeries" and "nowhere" in found.message


def test_bins_that_were_chosen_by_a_minutes_counts_do_not_judge_that_minute():
    edges = tuple(float(edge) for edge in range(30))
    low, high = (
        Histogram(edges, tuple(100.0 if side == (edge < 15) else 0.0 for edge in range(30)))
        for side in (True, False)
    )
    arms = distributions._ArmComparison(0.0)
    arms.add(candidate=high, stable=low)
    assert arms.e_process.log_e() == 0.0  # a rare bin is merged with its neighbours on purpose
    arms.add(candidate=high, stable=low)
    assert arms.e_process.log_e() > 1.0


def test_a_histogram_with_few_bins_judges_from_its_first_minute():
    low, high = Histogram((1.0, 2.0), (900.0, 100.0)), Histogram((1.0, 2.0), (100.0, 900.0))
    arms = distributions._ArmComparison(0.0)
    arms.add(candidate=high, stable=low)
    assert arms.e_process.log_e() > 2.0


def test_which_objects_have_enough_samples_is_found_in_one_pass_over_them() -> None:
    passes = [0]

    class Counted(dict[tuple[str, str], Histogram]):
        def items(self) -> Any:
            passes[0] += 1
            return super().items()

    enough, few = Histogram((math.inf,), (ENOUGH,)), Histogram((math.inf,), (1.0,))
    by = Counted({("ns", f"model-{n}-{'a' * 8}"): enough for n in range(100)})
    by["ns", f"model-7-{'b' * 8}"] = few
    found = _with_enough(by)
    assert len(found) == 99 and ("ns", "model-7") not in found and passes[0] == 1


class OneFatObject:
    """Pods that were chosen by name; the series of one are too many, and nobody has any others."""

    def __init__(self, fat: str) -> None:
        self.fat, self.queries = fat, []

    async def instant(self, query: str, at: float | None = None) -> Answer:
        if query == "time()":
            return Answer((Series({}, ((600.0, 600.0),)),))
        if "increase(" not in query:
            return Answer((Series({"metric": "model_requests_total"}, ((600.0, 1.0),)),))
        self.queries.append(query)
        if f"{self.fat}-[0-9a-f]" in query:
            return Answer(reason="MetricsLost", message="above 32 MiB", too_large=True)
        buckets = (("0.5", 3000.0), ("+Inf", 5000.0))
        return Answer(
            tuple(
                Series({"namespace": "risk", "merit_arm": f"{n}-bbbbbbbb", "le": le}, ((600.0, v),))
                for n in ("a", "b", "c", "d")
                if f"{n}-[0-9a-f]" in query
                for le, v in buckets
            )
        )


async def test_the_distribution_of_one_object_that_is_too_large_is_its_own_business():
    source = OneFatObject("c")
    pods = Pods(source, load_preset("prometheus-client"))
    reader = Distributions(source, pods, windows=(60.0,))

    def read() -> dict[str, object]:
        return {n: reader.windows("risk", n, "bbbbbbbb", SCORE, 0.0) for n in ("a", "b", "c", "d")}

    read()
    await reader.round(0.0)
    found = read()
    assert found["c"].reason == "TooManySeries"
    assert all(isinstance(found[n], Distribution) for n in ("a", "b", "d"))
    source.queries.clear()
    await reader.round(10.0)
    assert len(source.queries) == 1 and isinstance(read()["a"], Distribution)
