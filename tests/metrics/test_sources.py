"""Several sources, each at its own rhythm, and none delays another."""

from __future__ import annotations

import asyncio

from merit.evidence.counts import NoSample, Sample
from merit.metrics.answer import Answer
from merit.metrics.arms import FleetArms
from merit.metrics.fleet import Fleet
from merit.metrics.sources import Sources, View
from tests.metrics.world import CANARY, STABLE, FakePrometheus

LABEL = "envoy_cluster_name"


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


async def test_who_has_traffic_to_be_judged_by_is_looked_at_in_the_fast_rhythm():
    world = FakePrometheus()
    world.serve(STABLE, ok=100)
    world.scrape()
    sources = Sources({"x": View(Fleet(world))}, default="x", fast=0.02, live=3600.0)
    sources.exposed = lambda: {"x": frozenset({("ns", "fraud")})}
    looks = []
    running = asyncio.create_task(sources.run(looks.append))
    async with asyncio.timeout(30.0):
        while sum(look.names is not None for look in looks) < 3:
            await asyncio.sleep(0.01)
    running.cancel()
    assert sum(look.names is None for look in looks) <= 1


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
