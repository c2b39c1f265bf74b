"""Dispersion is read from a real Prometheus that holds hours of per-pod history."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from merit.prometheus.answer import Series
from merit.prometheus.client import Prometheus
from merit.prometheus.pods import Pods, Row, by_minute
from merit.prometheus.preset import load_preset
from merit.stats.counts import Counts
from merit.stats.dispersion import PodCounts, dispersion
from tests.prometheus.real import RealPrometheus

MINUTES = 200
PODS = ("fraud-bbbbbbbb-7d4f9c5b6-x2x7q", "fraud-bbbbbbbb-7d4f9c5b6-k8m2p")
OTHER = "fraud-bbbbbbbb-aaaaaaaa-6c9d7f8b5-z9z9z"  # a pod of ModelDeployment fraud-bbbbbbbb
EDGES = {"errors": None, "latency/p99": 0.1}


def history(start: int) -> tuple[str, PodCounts, PodCounts]:
    """Bursts of bad and of slow requests in one pod at a time: as text, and as they were."""
    rng = random.Random(7)
    rows: dict[str, list[Counts]] = {pod: [] for pod in PODS}
    slow: dict[str, list[Counts]] = {pod: [] for pod in PODS}
    for _ in range(MINUTES):
        for pod in PODS:
            bad = rng.choice((0, 0, 0, 0, 0, 0, 0, 20))
            rows[pod].append(Counts(600, bad))
            slow[pod].append(Counts(600, rng.choice((0, 1, 2))))
    text = ["# TYPE model_requests counter"]
    for pod in (*PODS, OTHER):
        for code in ("200", "500"):
            total = 0.0
            for minute in range(MINUTES + 1):
                row = rows.get(pod, rows[PODS[0]])
                if minute and pod == PODS[1] and minute == 100:
                    total = 0.0  # its container restarts: the counter begins anew
                if minute:
                    done = row[minute - 1]
                    total += done.bad if code == "500" else done.n - done.bad
                labels = f'job="model",namespace="risk",pod="{pod}",instance="{pod}",code="{code}"'
                text.append(f"model_requests_total{{{labels}}} {total} {start + 60 * minute}")
    text.append("# TYPE model_request_duration_seconds histogram")
    for pod in PODS:
        for le in ("0.1", "0.25", "+Inf"):
            total = 0.0
            for minute in range(MINUTES + 1):
                if minute:
                    done = slow[pod][minute - 1]
                    total += done.n - (done.bad if le == "0.1" else 0)
                labels = f'job="model",namespace="risk",pod="{pod}",instance="{pod}",le="{le}"'
                name = "model_request_duration_seconds_bucket"
                text.append(f"{name}{{{labels}}} {total} {start + 60 * minute}")
    return "\n".join([*text, "# EOF", ""]), PodCounts(rows), PodCounts(slow)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    start = (int(time.time()) // 60 - MINUTES - 2) * 60
    text, errors, slow = history(start)
    prometheus = RealPrometheus(tmp_path_factory.mktemp("history"), history=text)
    yield prometheus, errors, slow
    prometheus.close()


def pods(prometheus: RealPrometheus) -> Pods:
    return Pods(prometheus.client, load_preset("prometheus-client"), matchers={"job": "model"})


async def test_dispersion_is_what_the_pods_counted_minute_by_minute(recorded):
    prometheus, errors, slow = recorded
    reader = pods(prometheus)
    assert reader.dispersion("risk", "fraud", "bbbbbbbb", EDGES, 0.0) is None
    await reader.measure(time.monotonic())
    found = reader.dispersion("risk", "fraud", "bbbbbbbb", EDGES, 0.0)
    assert found["errors"] == pytest.approx(dispersion(errors), rel=0.02)
    assert found["latency/p99"] == pytest.approx(dispersion(slow), rel=0.02)
    assert found["errors"] > 5 > 2 > found["latency/p99"]


async def test_a_service_without_history_has_no_dispersion(recorded):
    prometheus, _, _ = recorded
    reader = pods(prometheus)
    reader.dispersion("risk", "new", "cccccccc", EDGES, 0.0)
    await reader.measure(time.monotonic())
    assert reader.dispersion("risk", "new", "cccccccc", EDGES, 0.0) == {}


async def test_a_prometheus_that_is_gone_does_not_keep_a_rollout_waiting(tmp_path: Path):
    client = Prometheus("http://127.0.0.1:9", timeout=1)
    reader = Pods(client, load_preset("prometheus-client"))
    reader.dispersion("risk", "fraud", "bbbbbbbb", EDGES, 0.0)
    await reader.measure(0.0)
    client.close()
    assert reader.dispersion("risk", "fraud", "bbbbbbbb", EDGES, 0.0) == {}


def test_the_work_of_a_history_grows_with_its_samples_and_not_with_pods_times_pods() -> None:
    read = [0]

    class Counted(Row):
        """A row that counts how often it is asked for its pod."""

        def __getattribute__(self, name: str) -> object:
            read[0] += name == "pod"
            return super().__getattribute__(name)

    samples = tuple((minute * 60.0, float(minute)) for minute in range(60))
    pods = [f"fraud-bbbbbbbb-{number}" for number in range(50)]
    rows = [Counted(pod, 1, bad, Series({}, samples)) for pod in pods for bad in (0, 1)]
    history = by_minute(rows)
    assert [*history.pods] == sorted(pods) and len(history.pods[pods[0]]) == 59
    assert read[0] <= 3 * len(rows)
