"""A real Prometheus scrapes real exporters, and Merit reads it: pods fold into revisions."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram

from merit.prometheus.fleet import Fleet
from merit.prometheus.inspection import inspect
from merit.prometheus.preset import load_preset
from merit.prometheus.sampling import SampleRequest
from merit.stats.counts import Counts, NoSample, Sample
from tests.prometheus.real import SCRAPE, TRIES, Exporter, RealPrometheus

OLD = ("fraud-bbbbbbbb-7d4f9c5b6-x2x7q", "fraud-bbbbbbbb-7d4f9c5b6-k8m2p")
NEW = ("fraud-aaaaaaaa-5b8c6d9f4-w4w8r",)
BOTH = {"errors": None, "latency/p99": 0.1}
PRESET = load_preset("prometheus-client")


class CountingPod:
    """One pod by the convention of the preset."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("model_requests_total", "n", ["code"], registry=self.registry)
        self.seconds = Histogram(
            "model_request_duration_seconds", "s",
            buckets=(0.05, 0.1, 0.25), registry=self.registry,
        )  # fmt: skip

    def serve(self, n: int, *, code: str = "200", seconds: float = 0.02) -> None:
        for _ in range(n):
            self.requests.labels(code).inc()
            self.seconds.observe(seconds)


# What lies behind other jobs of the same Prometheus, each for one test.
GONE = ("half-bbbbbbbb-7d4f9c5b6-x2x7q", "half-bbbbbbbb-7d4f9c5b6-k8m2p")
SHARED = "shared-bbbbbbbb-7d4f9c5b6-x2x7q"
TWICE = "twice-bbbbbbbb-7d4f9c5b6-x2x7q"
NATIVE = "native-bbbbbbbb-7d4f9c5b6-x2x7q"
TEXT = """# TYPE model_requests_total counter
model_requests_total{code="200",namespace="risk",pod="fraud-bbbbbbbb-7d4f9c5b6-x2x7q"} 9
"""
BARE = '# TYPE model_requests_total counter\nmodel_requests_total{code="200"} 1\n'


@dataclass
class ScrapedPods:
    """Model servers by pod, and the Prometheus that scrapes them."""

    servers: dict[str, CountingPod]
    exporter: Exporter
    prometheus: RealPrometheus


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    servers = {pod: CountingPod() for pod in (*OLD, *NEW, *GONE, SHARED, TWICE, NATIVE)}
    exporter = Exporter({pod: server.registry for pod, server in servers.items()})
    exporter.pods |= {"collector": TEXT, "bare": BARE}
    labels = {pod: {"namespace": "risk", "pod": pod} for pod in servers}
    jobs = {
        "model": {pod: labels[pod] for pod in (*OLD, *NEW)},
        "half": {pod: labels[pod] for pod in GONE},
        "collector": {"collector": {"namespace": "monitoring", "pod": "collector-0"}},
        "bare": {"bare": {}},
        # One job for the whole cluster: pods of other teams have completed.
        "kubernetes-pods": {SHARED: labels[SHARED]}
        | {f"nightly-{i}": {"namespace": "batch", "pod": f"nightly-{i}"} for i in range(3)},
        # A ServiceMonitor over the Service of the model and over that of the revision.
        "twice": {TWICE: labels[TWICE] | {"monitor": "twice"}},
        "twice-bbbbbbbb": {TWICE: labels[TWICE] | {"monitor": "twice"}},
        "native": {NATIVE: labels[NATIVE]},
    }
    more = {"native": {"convert_classic_histograms_to_nhcb": True}}
    prometheus = RealPrometheus(
        tmp_path_factory.mktemp("prometheus"), exporter, jobs, scrape_configs=more
    )
    yield ScrapedPods(servers, exporter, prometheus)
    prometheus.close()
    exporter.close()


def fleet(world: ScrapedPods, job: str = "model") -> Fleet:
    return reading(world, job=job)


def reading(world: ScrapedPods, **matchers: str) -> Fleet:
    return Fleet(world.prometheus.client, PRESET, matchers=matchers, scrape=SCRAPE)


def alone(name: str, since, edges=BOTH) -> SampleRequest:
    return SampleRequest("risk", name, None, "bbbbbbbb", 8080, since, edges)


def arms(since, edges=BOTH, started=None):
    return SampleRequest("risk", "fraud", "aaaaaaaa", "bbbbbbbb", 8080, since, edges, started)


async def polled_until(reader: Fleet, reason: str) -> None:
    """Poll until that is the answer; a poll is at a full second of the past."""
    for _ in range(TRIES):
        await reader.poll()
        if reader.available()[1] == reason:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(reader.available())


async def settled(reader: Fleet, since, done, started=None) -> Sample:
    """Samples added up until `done`, as reconciliation does: a missed scrape only costs time."""
    total: dict[str, tuple[Counts, Counts]] = {}
    for _ in range(TRIES):
        await reader.poll()
        sample = reader.sample(arms(since, started=started))
        if not isinstance(sample, Sample):
            await asyncio.sleep(0.1)
            continue
        for name, pair in sample.signals.items():
            mine, theirs = total.get(name, (Counts(), Counts()))
            total[name] = (mine + pair.candidate, theirs + pair.stable)
        since = sample.at
        if done(total):
            return total
        await asyncio.sleep(0.1)
    raise AssertionError((total, sample))


async def test_pods_of_a_server_preset_fold_into_the_two_revisions_without_losing_a_request(world):
    servers, prometheus = world.servers, world.prometheus
    for pod in OLD:
        servers[pod].serve(50)
    # A look is at a full second of the past, and must find both pods.
    await prometheus.seen('count(model_requests_total{job="model",pod=~".*-b.*"} offset 2s)', 2)
    reader = fleet(world)
    first = NoSample("", "")
    while isinstance(first, NoSample):
        await reader.poll()
        first = reader.sample(arms(None, {"errors": None}))
    # The candidate's first requests are counted in full: its pod began after this moment.
    servers[NEW[0]].serve(7)
    servers[NEW[0]].serve(2, code="500", seconds=0.2)
    servers[NEW[0]].serve(1, code="429")
    servers[OLD[0]].serve(40)
    servers[OLD[1]].serve(50, seconds=0.2)
    started = first.at
    got = await settled(
        reader,
        first.at,
        lambda t: t and t["errors"][0].n >= 10 and t["errors"][1].n >= 90
        and t["latency/p99"][1].n >= 90,
        started,
    )  # fmt: skip
    assert got["errors"] == (Counts(10, 3), Counts(90, 0))
    assert got["latency/p99"] == (Counts(10, 2), Counts(90, 50))


async def test_half_of_a_revisions_pods_unscraped_is_a_part(world):
    for pod in GONE:
        world.servers[pod].serve(5)
    await world.prometheus.seen('count(model_requests_total{job="half"})', 2)
    del world.exporter.pods[GONE[1]]
    reader = fleet(world, "half")
    for _ in range(TRIES):
        await reader.poll()
        sample = reader.sample(alone("half", None))
        if isinstance(sample, NoSample) and sample.reason == "Partial":
            break
        await asyncio.sleep(0.1)
    assert isinstance(sample, NoSample) and "1 of 2" in sample.message


async def test_labels_of_the_exporter_win_where_honor_labels_is_missing(world):
    await world.prometheus.seen('count(model_requests_total{job="collector"} offset 2s)')
    found = await inspect(world.prometheus.client, PRESET, 'job="collector"')
    assert found.pod.pod == "exported_pod" and found.problem is None
    reader = fleet(world, "collector")
    await reader.poll()
    sample = reader.sample(
        SampleRequest("risk", "fraud", None, "bbbbbbbb", 80, None, {"errors": None})
    )
    assert isinstance(sample, Sample)


async def test_without_any_label_of_a_pod_the_reason_is_hidden_labels(world):
    await world.prometheus.seen('count(model_requests_total{job="bare"})')
    await polled_until(fleet(world, "bare"), "LabelsHidden")


async def first_sample(reader: Fleet, name: str) -> Sample:
    for _ in range(TRIES):
        await reader.poll()
        sample = reader.sample(alone(name, None))
        if isinstance(sample, Sample):
            return sample
        await asyncio.sleep(0.1)
    raise AssertionError(sample)


async def counted(reader: Fleet, name: str, serve, n: float) -> dict[str, Counts]:
    """What is counted of a revision after `serve`, and three scrapes after `n` of each signal."""
    since, total, after = (await first_sample(reader, name)).at, {}, None
    serve()
    for _ in range(TRIES):
        await reader.poll()
        sample = reader.sample(alone(name, since))
        if isinstance(sample, Sample):
            for signal, pair in sample.signals.items():
                total[signal] = total.get(signal, Counts()) + pair.stable
            since = sample.at
            if after is None and total and all(each.n >= n for each in total.values()):
                after = since + 3 * SCRAPE
            if after is not None and since >= after:
                return total
        await asyncio.sleep(0.1)
    raise AssertionError((total, sample))


async def test_dead_pods_of_other_teams_in_the_same_job_are_nobodys_business(world):
    world.servers[SHARED].serve(5)
    await world.prometheus.seen('count(up{job="kubernetes-pods"} == 0)', 3)
    await polled_until(fleet(world, "kubernetes-pods"), "Fresh")


async def test_a_pod_that_is_scraped_by_two_jobs_is_counted_once(world):
    def serve() -> None:
        world.servers[TWICE].serve(90, seconds=0.2)
        world.servers[TWICE].serve(10, code="500")

    world.servers[TWICE].serve(20)
    world.servers[TWICE].serve(1, code="500")
    await world.prometheus.seen('count(model_requests_total{monitor="twice"} offset 2s)', 2)
    total = await counted(reading(world, monitor="twice"), "twice", serve, 100)
    assert total == {"errors": Counts(100, 10), "latency/p99": Counts(100, 90)}


async def test_native_histograms_alone_are_no_data_on_latency_and_it_is_said_what_to_set(world):
    world.servers[NATIVE].serve(50)
    await world.prometheus.seen('count(model_requests_total{job="native"} offset 2s)')
    sample = await first_sample(fleet(world, "native"), "native")
    lost = sample.lost["latency/p99"]
    assert lost.reason == "NoSeries" and "always_scrape_classic_histograms" in lost.message
    assert set(sample.lost) == {"latency/p99"}
