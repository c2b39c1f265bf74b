"""Pods of a real scoring model that export what they score, and a Prometheus that scrapes them."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram

from e2e.model import data
from merit.prometheus.distributions import DistributionMetric, Distributions
from merit.prometheus.pods import Pods
from merit.prometheus.preset import load_preset
from merit.stats import histogram as bins
from tests.prometheus.real import Exporter, RealPrometheus

OLD = ("fraud-bbbbbbbb-7d4f9c5b6-x2x7q", "fraud-bbbbbbbb-7d4f9c5b6-k8m2p")
NEW = ("fraud-aaaaaaaa-5b8c6d9f4-w4w8r",)
SCORE = DistributionMetric("model_prediction_score")
EDGES = tuple(round(0.1 * n, 1) for n in range(1, 10))


def score(features: data.Features, bias: float = 0.0) -> float:
    """The model: the probability of fraud of a payment."""
    risk = (
        0.9 * (math.log1p(float(features["amount"])) - 3.6)
        + 0.6 * float(features["declines"])
        + 0.01 * (float(features["distance_km"]) - 80)
        + bias
    )
    return 1 / (1 + math.exp(-risk))


class ScoringPod:
    """One pod: it scores payments, and counts requests, scores and channels."""

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
        """Score one payment."""
        self.requests.labels("200").inc()
        self.channels.labels(features["channel"]).inc()
        self.scores.observe(score(features, self.bias))


def reference(n: int = 6000) -> bins.Histogram:
    """The same model's scores of other payments, as an evaluator would report them."""
    found = [score(f) for f in itertools.islice(data.live("holdout"), n)]
    return bins.from_buckets({edge: sum(s <= edge for s in found) for edge in (*EDGES, math.inf)})


class ScoringModel:
    """Two stable pods, one biased candidate, and their Prometheus."""

    def __init__(self, folder: Path) -> None:
        self.servers = {pod: ScoringPod() for pod in OLD} | {
            pod: ScoringPod(bias=1.2) for pod in NEW
        }
        self.exporter = Exporter({pod: s.registry for pod, s in self.servers.items()})
        labels = {pod: {"namespace": "risk", "pod": pod} for pod in self.servers}
        self.prometheus = RealPrometheus(folder, self.exporter, {"model": labels})
        client = self.prometheus.client
        self.pods = Pods(client, load_preset("prometheus-client"), matchers={"job": "model"})

    def reader(self, *windows: float) -> Distributions:
        """Reads distributions over windows of so many seconds."""
        return Distributions(self.prometheus.client, self.pods, windows=windows)

    def send(self, pods: tuple[str, ...], n: int, seed: str, **inputs: float) -> None:
        """Send so many payments to these pods in turn."""
        for pod, features in zip(
            itertools.cycle(pods), itertools.islice(data.live(seed, **inputs), n)
        ):
            self.servers[pod].predict(features)

    async def scraped(self, metric: str, pods: str, n: float) -> None:
        """Wait until so many are scraped."""
        await self.prometheus.seen(f'sum({metric}{{pod=~"{pods}.*"}} offset 1s)', n)
