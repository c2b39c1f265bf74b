"""Several sources, each at its own interval, and none delays another."""

from __future__ import annotations

import asyncio

from merit.prometheus.answer import Answer
from merit.prometheus.fleet import Fleet
from merit.prometheus.sampling import SampleRequest
from merit.prometheus.sources import Sources, View
from merit.stats.counts import NoSample, Sample
from tests.prometheus.world import CANARY, STABLE, FakePrometheus

LABEL = "envoy_cluster_name"


async def test_a_fast_poll_selects_only_the_exposed():
    world = FakePrometheus()
    world.serve(STABLE, ok=5)
    world.scrape()
    fleet = Fleet(world)
    await fleet.poll(frozenset({("ns", "fraud")}))
    raw = next(q for q in world.queries if q.startswith("envoy_cluster_upstream_rq_xx{"))
    assert f'{LABEL}=~"ns_fraud-[0-9a-f]{{8}}_[0-9]+"' in raw
    unasked = fleet.sample(SampleRequest("ns", "other", None, STABLE, 80))
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
    sources = Sources(views, fast=0.05, live=0.05)
    polls = []
    exposed = {"fine": frozenset({("ns", "fraud")})}
    running = asyncio.create_task(sources.run(polls.append, exposed=lambda: exposed))
    while not {None, frozenset({("ns", "fraud")})} <= {poll.names for poll in polls}:
        await asyncio.sleep(0.02)
    running.cancel()
    assert {poll.source for poll in polls} == {"fine"} and not polls[0].reason
    arms = SampleRequest("ns", "fraud", CANARY, STABLE, 80)
    assert isinstance(sources.view("fine").fleet.sample(arms), Sample)
    lost = sources.view("slow").fleet.sample(arms)
    assert isinstance(lost, NoSample) and lost.reason == "MetricsLost"
    assert sources.view("gone") is None


async def test_exposed_objects_are_polled_at_the_fast_interval():
    world = FakePrometheus()
    world.serve(STABLE, ok=100)
    world.scrape()
    sources = Sources({"x": View(Fleet(world))}, fast=0.02, live=3600.0)
    polls = []
    exposed = {"x": frozenset({("ns", "fraud")})}
    running = asyncio.create_task(sources.run(polls.append, exposed=lambda: exposed))
    async with asyncio.timeout(120.0):
        while sum(poll.names is not None for poll in polls) < 3:
            await asyncio.sleep(0.01)
    running.cancel()
    assert sum(poll.names is None for poll in polls) <= 1


async def test_an_exception_in_a_poll_is_reported_and_the_next_poll_follows():
    class Broken:
        asked = 0

        async def instant(self, query: str, at: float | None = None) -> Answer:
            self.asked += 1
            raise RuntimeError("a bug")

    broken = Broken()
    sources = Sources({"x": View(Fleet(broken))}, fast=0.05, live=0.05)
    polls = []
    running = asyncio.create_task(sources.run(polls.append))
    while broken.asked < 2:
        await asyncio.sleep(0.02)
    running.cancel()
    assert polls[0].reason == "MetricsLost"


async def test_without_objects_nothing_is_asked():
    world = FakePrometheus()
    sources = Sources({"x": View(Fleet(world))}, fast=0.02, live=0.02)
    running = asyncio.create_task(sources.run(lambda poll: None, empty=lambda: True))
    await asyncio.sleep(0.2)
    running.cancel()
    assert world.queries == []
