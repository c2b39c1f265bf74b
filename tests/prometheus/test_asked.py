"""How many queries polling a fleet needs, counted by a real Prometheus itself."""

from __future__ import annotations

import asyncio
import time
import urllib.request
from collections.abc import Awaitable, Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from merit.policy.state.measurements import Distribution
from merit.prometheus.distributions import DistributionMetric, Distributions
from merit.prometheus.fleet import Fleet
from merit.prometheus.pods import Pods
from merit.prometheus.preset import load_preset
from merit.prometheus.queries import Queries
from merit.prometheus.sampling import SampleRequest
from merit.stats.counts import Sample
from tests.prometheus.real import SCRAPE, TRIES, Exporter, RealPrometheus

FLEETS = (5, 50, 500)
STABLE, CANARY = "bbbbbbbb", "aaaaaaaa"
EDGES = {"errors": None, "latency/p99": 0.1}
SCORE = DistributionMetric("model_prediction_score")
KPI = "vector(1)"


def arms_of(objects: int) -> Iterator[tuple[str, str]]:
    """Name and revision of all that serves: every fourth object has a candidate too."""
    for i in range(objects):
        yield f"model-{i:04d}", STABLE
        if i % 4 == 0:
            yield f"model-{i:04d}", CANARY


def gateway(objects: int) -> str:
    """What an Envoy says of so many objects, synthetic."""
    lines = []
    for name, short in arms_of(objects):
        arm = f'envoy_cluster_name="risk_{name}-{short}_8080"'
        lines += [
            f'envoy_cluster_upstream_rq_xx{{{arm},envoy_response_code_class="{klass}"}} {n}'
            for klass, n in (("2", 1000), ("5", 1))
        ]
        lines += [
            f'envoy_cluster_upstream_rq_time_bucket{{{arm},le="{le}"}} {n}'
            for le, n in (("50", 900), ("100", 990), ("250", 1000), ("+Inf", 1001))
        ]
        lines.append(f"envoy_cluster_upstream_rq_timeout{{{arm}}} 0")
    return "\n".join(lines) + "\n"


def servers(objects: int) -> str:
    """What the pods of so many objects say, from one collector, synthetic."""
    lines = []
    for name, short in arms_of(objects):
        pod = f'namespace="risk",pod="{name}-{short}-7d4f9c5b6-x2x7q"'
        lines.append(f'model_requests_total{{{pod},code="200"}} 1001')
        lines += [
            f'model_prediction_score_bucket{{{pod},le="{le}"}} {n}'
            for le, n in (("0.2", 300), ("0.5", 700), ("0.8", 950), ("+Inf", 1001))
        ]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    exporter = Exporter()
    jobs: dict[str, dict[str, dict[str, str]]] = {}
    for objects in FLEETS:
        for job, text in (("envoy", gateway(objects)), ("servers", servers(objects))):
            exporter.pods[f"{job}-{objects}"] = text
            labels = {} if job == "envoy" else {"namespace": "monitoring", "pod": "collector-0"}
            jobs[f"{job}-{objects}"] = {f"{job}-{objects}": labels}
    running = RealPrometheus(tmp_path_factory.mktemp("prometheus"), exporter, jobs)
    yield running
    running.close()
    exporter.close()


def answered(prometheus: RealPrometheus) -> float:
    """Requests to its query API that this Prometheus has counted."""
    with urllib.request.urlopen(f"{prometheus.url}/metrics", timeout=60) as response:
        text = response.read().decode()
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "prometheus_http_requests_total"
        and sample.labels["handler"].startswith("/api/v1/")
    )


class Watch:
    """Everything that looks at one fleet, and everybody in it asking as reconciliation does."""

    def __init__(self, prometheus: RealPrometheus, objects: int) -> None:
        self._prometheus, self._objects = prometheus, objects
        client = prometheus.client
        self.fleet = Fleet(client, matchers={"job": f"envoy-{objects}"}, scrape=SCRAPE)
        matchers = {"job": f"servers-{objects}"}
        pods = Pods(client, load_preset("prometheus-client"), matchers=matchers)
        self.drift = Distributions(client, pods, windows=(4.0, 8.0))
        self.queries = Queries(client)
        self.exposed = frozenset(
            ("risk", name) for name, short in arms_of(objects) if short == CANARY
        )

    def read_all(self) -> tuple[int, int, int]:
        """How many have a sample, a distribution, a KPI."""
        sampled, drawn, read = 0, 0, 0
        for i in range(self._objects):
            name = f"model-{i:04d}"
            candidate = CANARY if ("risk", name) in self.exposed else None
            arms = SampleRequest("risk", name, candidate, STABLE, 8080, edges=EDGES)
            now = time.monotonic()
            sampled += isinstance(self.fleet.sample(arms), Sample)
            drawn += isinstance(self.drift.windows("risk", name, STABLE, SCORE, now), Distribution)
            if candidate:
                self.drift.pair("risk", name, candidate, STABLE, SCORE, now)
            read += isinstance(self.queries.readings(KPI, "risk", now), tuple)
        return sampled, drawn, read

    async def asks(self, look: Awaitable[object]) -> int:
        """The queries that Prometheus counts meanwhile."""
        before = answered(self._prometheus)
        await look
        return round(answered(self._prometheus) - before)


async def watching(prometheus: RealPrometheus, objects: int) -> Watch:
    """A fleet of which every object is found: its self-checks are done."""
    for metric in ("envoy_cluster_upstream_rq_xx", "model_requests_total"):
        await prometheus.seen(f'count({metric}{{job=~".+-{objects}"}} offset {2 * SCRAPE:.0f}s)')
    watch = Watch(prometheus, objects)
    for _ in range(TRIES):
        watch.read_all()
        await watch.fleet.poll()
        await watch.drift.round(time.monotonic())
        await watch.queries.round(time.monotonic())
        if watch.read_all() == (objects,) * 3:
            return watch
        await asyncio.sleep(0.1)
    raise AssertionError((watch.read_all(), watch.fleet.available()))


@pytest.mark.parametrize("objects", FLEETS)
async def test_prometheus_itself_counts_as_many_queries_for_5_as_for_500_objects(
    prometheus, objects
):
    watch = await watching(prometheus, objects)
    now = time.monotonic()
    asked = {
        "all": await watch.asks(watch.fleet.poll()),
        "exposed": await watch.asks(watch.fleet.poll(watch.exposed)),
        "drift": await watch.asks(watch.drift.round(now)),
        "minute": await watch.asks(watch.drift.minute(now)),
        "kpi": await watch.asks(watch.queries.round(now)),
    }
    assert watch.read_all() == (objects,) * 3
    # A poll: time(), one for each of three metrics, and whether the targets answer. Drift: one for
    # each window. A minute: time() and the metric. A query that all objects share: one.
    assert asked == {"all": 5, "exposed": 5, "drift": 2, "minute": 2, "kpi": 1}
