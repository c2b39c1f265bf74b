"""Drift from a real histogram of real scores: what shifts is what is sent to the server."""

from __future__ import annotations

import asyncio
import itertools
import math

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram

from e2e.model import data
from merit.evidence import bins
from merit.evidence.counts import NoSample
from merit.evidence.drift import judge
from merit.metrics import distributions
from merit.metrics.distributions import Distributions, Wanted
from merit.metrics.pods import Pods
from merit.metrics.preset import load_preset
from merit.policy.observed import Distribution, Pair
from tests.metrics.real import Exporter, RealPrometheus

OLD = ("fraud-bbbbbbbb-7d4f9c5b6-x2x7q", "fraud-bbbbbbbb-7d4f9c5b6-k8m2p")
NEW = ("fraud-aaaaaaaa-5b8c6d9f4-w4w8r",)
SCORE = Wanted("model_prediction_score")
CHANNEL = Wanted("model_channel_total", "channel")
EDGES = tuple(round(0.1 * n, 1) for n in range(1, 10))
WINDOW = 8.0


def score(features: data.Features, bias: float = 0.0) -> float:
    """A model: the fraud that it sees in a payment."""
    risk = (
        0.9 * (math.log1p(float(features["amount"])) - 3.6)
        + 0.6 * float(features["declines"])
        + 0.01 * (float(features["distance_km"]) - 80)
        + bias
    )
    return 1 / (1 + math.exp(-risk))


class Server:
    """One pod: it scores what it is sent, and counts what it said."""

    def __init__(self, bias: float = 0.0) -> None:
        self.bias, self.registry = bias, CollectorRegistry()
        self.requests = Counter("model_requests_total", "n", ["code"], registry=self.registry)
        self.scores = Histogram(
            "model_prediction_score", "p", buckets=EDGES, registry=self.registry
        )
        self.channels = Counter("model_channel_total", "n", ["channel"], registry=self.registry)
        for channel in (*data.CHANNELS, data.NEW_CHANNEL):
            self.channels.labels(channel)

    def predict(self, features: data.Features) -> None:
        self.requests.labels("200").inc()
        self.channels.labels(features["channel"]).inc()
        self.scores.observe(score(features, self.bias))


def reference(n: int = 6000) -> bins.Histogram:
    """The same model's scores of other payments, as an evaluator would report them."""
    found = [score(f) for f in itertools.islice(data.live("holdout"), n)]
    return bins.from_buckets({edge: sum(s <= edge for s in found) for edge in (*EDGES, math.inf)})


class World:
    def __init__(self, folder) -> None:
        self.servers = {pod: Server() for pod in OLD} | {pod: Server(bias=1.2) for pod in NEW}
        self.exporter = Exporter({pod: s.registry for pod, s in self.servers.items()})
        labels = {pod: {"namespace": "risk", "pod": pod} for pod in self.servers}
        self.prometheus = RealPrometheus(folder, self.exporter, {"model": labels})
        client = self.prometheus.client
        self.pods = Pods(client, load_preset("prometheus-client"), matchers={"job": "model"})

    def eyes(self, *windows: float) -> Distributions:
        return Distributions(self.prometheus.client, self.pods, windows=windows)

    def send(self, pods: tuple[str, ...], n: int, seed: str, **inputs: float) -> None:
        for pod, features in zip(
            itertools.cycle(pods), itertools.islice(data.live(seed, **inputs), n)
        ):
            self.servers[pod].predict(features)

    async def scraped(self, metric: str, pods: str, n: float) -> None:
        await self.prometheus.seen(f'sum({metric}{{pod=~"{pods}.*"}} offset 1s)', n)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("drift"))
    yield world
    world.prometheus.close()
    world.exporter.close()


async def read(eyes: Distributions, wanted: Wanted, least: float) -> Distribution:
    """The window once it holds so many samples."""
    for _ in range(100):
        await eyes.round(0.0)
        found = eyes.windows("risk", "fraud", "bbbbbbbb", wanted, 0.0)
        if isinstance(found, Distribution) and found.windows[min(found.windows)].n >= least:
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(found)


async def test_shifted_inputs_are_drift_and_the_same_inputs_are_none(world):
    eyes, baseline = world.eyes(WINDOW), reference()
    assert isinstance(eyes.windows("risk", "fraud", "bbbbbbbb", SCORE, 0.0), NoSample)
    world.send(OLD, 1, "first")
    await world.scraped("model_requests_total", "fraud-b", 1)
    world.send(OLD, 3000, "monday")
    same = await read(eyes, SCORE, 2500)
    found = judge(same.windows[WINDOW], baseline, "Medium")
    # increase() extrapolates a burst at the window's edge: counts are about right, shares exact.
    assert found.kind == "Good" and found.distances.n == pytest.approx(3000, rel=0.5), found
    # Payments become four times as large: what the model says follows from what it is sent.
    await world.prometheus.seen(f"-sum(increase(model_prediction_score_count[{WINDOW:.0f}s]))", -1)
    world.send(OLD, 3000, "tuesday", shift=4.0)
    other = await read(eyes, SCORE, 2500)
    found = judge(other.windows[WINDOW], baseline, "Medium")
    assert found.kind == "Bad", found
    assert found.distances.ks > 0.2 and found.distances.js > 0.11


async def test_classes_work_like_bins_and_a_longer_window_is_read_where_samples_are_few(world):
    eyes = world.eyes(WINDOW, 3600.0)
    eyes.windows("risk", "fraud", "bbbbbbbb", CHANNEL, 0.0)
    world.send(OLD, 10, "few")
    await eyes.round(0.0)
    found = eyes.windows("risk", "fraud", "bbbbbbbb", CHANNEL, 0.0)
    assert isinstance(found, Distribution) and 3600.0 in found.windows
    told = found.windows[3600.0]
    assert not told.ordered and {"web", "app", "store", "phone"} <= set(told.edges)
    assert told.n > found.windows.get(WINDOW, told).n or len(found.windows) == 1


async def test_a_candidate_that_predicts_otherwise_is_told_from_one_in_the_same_minutes(
    world, monkeypatch
):
    monkeypatch.setattr(distributions, "MINUTE", 4.0)
    eyes = world.eyes(WINDOW)
    arms = {"candidate": "aaaaaaaa", "stable": "bbbbbbbb", "wanted": SCORE, "now": 0.0}
    eyes.pair("risk", "fraud", **arms)
    for turn in range(80):
        # The same payments for both, a part for the candidate.
        world.send(OLD, 90, f"turn-{turn}")
        world.send(NEW, 30, f"turn-{turn}")
        await eyes.minute(0.0)
        pair = eyes.pair("risk", "fraud", **arms)
        if isinstance(pair, Pair) and pair.log_e > 4.6:
            break
        await asyncio.sleep(0.25)
    assert isinstance(pair, Pair) and pair.log_e > 4.6, pair
    assert pair.stable.n > pair.candidate.n > 0


async def test_a_server_without_that_histogram_is_no_series(world):
    eyes = world.eyes(WINDOW)
    wanted = Wanted("nowhere")
    eyes.windows("risk", "fraud", "bbbbbbbb", wanted, 0.0)
    await eyes.round(0.0)
    found = eyes.windows("risk", "fraud", "bbbbbbbb", wanted, 0.0)
    assert isinstance(found, NoSample) and found.reason == "NoSeries" and "nowhere" in found.message
