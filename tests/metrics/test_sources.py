"""Several sources, each at its own rhythm; queries do not grow with the fleet."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

import pytest

from merit.evidence.counts import NoSample, Sample
from merit.metrics.answer import Answer
from merit.metrics.arms import FleetArms
from merit.metrics.client import Prometheus
from merit.metrics.fleet import Fleet
from merit.metrics.sources import Sources, View
from tests.metrics.world import CANARY, STABLE, T0, FakePrometheus

LABEL = "envoy_cluster_name"


class Counting:
    """An HTTP server that answers as a Prometheus with so many objects would, and counts."""

    def __init__(self, objects: int) -> None:
        self.asked: list[str] = []
        names = [f"ns_model-{i:04d}-{short}_80" for i in range(objects) for short in ("a" * 8,)]
        counting = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                counting.answer(self, parse_qs(urlparse(self.path).query)["query"][0], names)

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = parse_qs(self.rfile.read(length).decode())
                counting.answer(self, body["query"][0], names)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(
            target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        self.client = Prometheus(f"http://127.0.0.1:{self.http.server_port}")

    def answer(self, handler: BaseHTTPRequestHandler, query: str, names: list[str]) -> None:
        self.asked.append(query)
        kind, result = "vector", []
        at = T0 + 100
        if query == "time()":
            kind, result = "scalar", [at, str(at)]
        elif query.startswith("count by (__name__)"):
            for name in ("envoy_cluster_upstream_rq_xx", "envoy_cluster_upstream_rq_time_bucket"):
                result.append({"metric": {"__name__": name}, "value": [at, "5"]})
        elif query.startswith("count by (le)"):
            result = [{"metric": {"le": le}, "value": [at, "5"]} for le in ("100", "250", "+Inf")]
        elif query.startswith("up{"):
            result = [{"metric": {"job": "envoy", "instance": "e"}, "value": [at, "1"]}]
        elif query.startswith("envoy_cluster_upstream_rq_xx"):
            kind = "matrix"
            pattern = re.search(rf'{LABEL}=~"([^"]*)"', query)[1].replace("\\\\", "\\")
            for name in names:
                if re.fullmatch(pattern, name):
                    labels = {LABEL: name, "job": "envoy", "instance": "e"}
                    labels["envoy_response_code_class"] = "2"
                    values = [[at - 5 * i, str(1000 - 5 * i)] for i in range(12, -1, -1)]
                    result.append({"metric": labels, "values": values})
        data = {"status": "success", "data": {"resultType": kind, "result": result}}
        body = json.dumps(data).encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def close(self) -> None:
        self.client.close()
        self.http.shutdown()
        self.http.server_close()


async def asked_per_tick(objects: int, exposed: int) -> tuple[int, int, int]:
    """Queries of a look at everybody, of one at the exposed, and how many of those told."""
    server = Counting(objects)
    try:
        fleet = Fleet(server.client, scrape=5.0)
        await fleet.tick()
        counts = []
        names = frozenset(("ns", f"model-{i:04d}") for i in range(exposed))
        for chosen in (None, names):
            # Everybody asks about a bound, as reconciliation does.
            for i in range(objects):
                arms = FleetArms(
                    "ns", f"model-{i:04d}", None, "a" * 8, 80,
                    edges={"errors": None, "latency/p99": 0.1},
                )  # fmt: skip
                fleet.sample(arms)
            before = len(server.asked)
            await fleet.tick(chosen)
            counts.append(len(server.asked) - before)
        told = sum(
            isinstance(fleet.sample(FleetArms(*name, None, "a" * 8, 80)), Sample) for name in names
        )
        return counts[0], counts[1], told
    finally:
        server.close()


@pytest.mark.parametrize(("objects", "exposed"), [(5, 2), (50, 20), (500, 200), (500, 450)])
async def test_queries_of_a_tick_are_as_many_for_5_as_for_500_objects(objects, exposed):
    everybody, some, told = await asked_per_tick(objects, exposed)
    # time(), one for each of three metrics, and whether the targets answer
    assert (everybody, some, told) == (5, 5, exposed)


async def test_a_fast_look_selects_only_the_exposed():
    world = FakePrometheus()
    world.serve(STABLE, ok=5)
    world.scrape()
    fleet = Fleet(world)
    await fleet.tick(frozenset({("ns", "fraud")}))
    raw = next(q for q in world.queries if q.startswith("envoy_cluster_upstream_rq_xx{"))
    assert f'{LABEL}=~"ns_fraud-[0-9a-f]{{7}}[0-9a-f]_[0-9]+"' in raw
    unasked = fleet.sample(FleetArms("ns", "other", None, STABLE, 80))
    assert isinstance(unasked, NoSample)


async def test_a_hanging_source_delays_no_other_and_each_object_gets_its_own():
    class Hanging:
        async def instant(self, query: str, at: float | None = None) -> Answer:
            await asyncio.Event().wait()
            raise AssertionError

    world = FakePrometheus()
    world.serve(STABLE, ok=100)
    world.serve(CANARY, ok=100)
    world.scrape()
    views = {"slow": View(Fleet(Hanging())), "fine": View(Fleet(world))}
    sources = Sources(views, default="slow", fast=0.05, live=0.05)
    sources.exposed = lambda: {"fine": frozenset({("ns", "fraud")})}
    looks = []
    running = asyncio.create_task(sources.run(looks.append))
    while not {None, frozenset({("ns", "fraud")})} <= {look.names for look in looks}:
        await asyncio.sleep(0.02)
    running.cancel()
    assert {look.source for look in looks} == {"fine"} and not looks[0].reason
    arms = FleetArms("ns", "fraud", CANARY, STABLE, 80, source="fine")
    assert isinstance(sources.sample(arms), Sample)
    lost = sources.sample(FleetArms("ns", "fraud", CANARY, STABLE, 80))
    assert isinstance(lost, NoSample) and lost.reason == "MetricsLost"
    nowhere = sources.sample(FleetArms("ns", "fraud", CANARY, STABLE, 80, source="gone"))
    assert isinstance(nowhere, NoSample) and nowhere.reason == "NoSource"


async def test_an_exception_in_a_look_is_told_and_the_next_look_follows():
    class Broken:
        asked = 0

        async def instant(self, query: str, at: float | None = None) -> Answer:
            self.asked += 1
            raise RuntimeError("a bug")

    broken = Broken()
    sources = Sources({"x": View(Fleet(broken))}, default="x", fast=0.05, live=0.05)
    looks = []
    running = asyncio.create_task(sources.run(looks.append))
    while broken.asked < 2:
        await asyncio.sleep(0.02)
    running.cancel()
    assert looks[0].reason == "MetricsLost"


async def test_without_objects_nothing_is_asked():
    world = FakePrometheus()
    sources = Sources({"x": View(Fleet(world))}, default="x", fast=0.02, live=0.02)
    sources.empty = lambda: True
    running = asyncio.create_task(sources.run(lambda look: None))
    await asyncio.sleep(0.2)
    running.cancel()
    assert world.queries == []
