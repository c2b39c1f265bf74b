"""A verdict waits for nobody else's calls: many newcomers whose creations take ten seconds each.

One work queue, one operator, and an event loop whose time is virtual.
"""

from __future__ import annotations

import asyncio
import copy
import selectors
from functools import partial
from typing import Any

import pytest

from merit.kube.cache import Key
from merit.kube.workqueue import WorkQueue
from merit.reconciler.urgency import is_urgent
from tests.scenarios.scripts import live_monitoring, rollouts
from tests.scenarios.scripts.steps import BAD, USER, apply, exposed
from tests.world.manifests import manifest
from tests.world.merge import Object
from tests.world.pods import CRASH_LOOP
from tests.world.server import ApiServer
from tests.world.world import Step, World

CANARY = (*rollouts.FIRST, apply("better", exposed("better")))
WEBHOOK = 10.0  # seconds


class VirtualLoop(asyncio.SelectorEventLoop):
    """Nobody waits: where the loop would sleep, its clock is put forward."""

    def __init__(self) -> None:
        self._virtual = 0.0
        selector = selectors.DefaultSelector()
        select = selector.select

        def jump(timeout: float | None = None) -> Any:
            assert timeout is not None, "everybody waits for somebody else"
            self._virtual += timeout
            return select(0)

        selector.select = jump  # type: ignore[method-assign]
        super().__init__(selector)

    def time(self) -> float:
        return self._virtual


class Neighbours:
    """One world, driven by the shipped work queue."""

    def __init__(self, world: World) -> None:
        self.world, self._start, self._loop = world, world.now, asyncio.get_running_loop()
        self.queue = WorkQueue(
            partial(self._reconcile, hurried=True),
            patient=partial(self._reconcile, hurried=False),
            urgent=world.reconciler.urgent,
            clock=self._loop.time,
            jitter=lambda: 1.0,
        )
        world.reconciler._defer = self.queue.add_long

    async def _reconcile(self, key: Key, *, hurried: bool) -> float | None:
        self._forward()
        return await self.world.reconciler.reconcile(key, hurried=hurried)

    def _forward(self) -> None:
        """The clock, the controllers, and the watch events."""
        world = self.world
        world.now = self._start + self._loop.time()
        world.actors.settle()
        world.dues.clear()
        world._deliver()
        for key in sorted(world.dues):
            self.queue.add(key)

    async def seconds_until_back(self, limit: float = 400.0) -> float:
        """Until all traffic is at the stable revision again."""
        began, working = self._loop.time(), asyncio.create_task(self.queue.run())
        while self.world.weights != {"good": 100} and self._loop.time() - began < limit:
            await asyncio.sleep(0.5)
            self._forward()
        took = self._loop.time() - began
        await self.queue.drain(60.0)
        await working
        return took


def newcomers(world: World, number: int) -> list[Key]:
    """So many objects of another tenant are declared at this moment."""
    keys = []
    for index in range(number):
        obj = copy.deepcopy(manifest("good"))
        obj["metadata"] |= {"name": f"newcomer-{index}", "namespace": "other"}
        gateway = obj["spec"]["rollout"]["route"]["gateway"]
        gateway["hostnames"] = [f"n{index}.example.com"]
        world.store.apply(obj, USER)
        keys.append(Key("other", f"newcomer-{index}"))
    return keys


def slow_webhooks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every creation in the other tenant's namespace takes ten seconds. Returns their kinds."""
    create, kinds = ApiServer.create, []

    async def slowly(self: ApiServer, obj: Object, **more: Any) -> Object:
        if obj["metadata"]["namespace"] == "other" and obj["kind"] != "Event":
            kinds.append(obj["kind"])
            await asyncio.sleep(WEBHOOK)
        return await create(self, obj, **more)

    monkeypatch.setattr(ApiServer, "create", slowly)
    return kinds


def on_virtual_time(coroutine: Any) -> Any:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(coroutine)


@pytest.mark.parametrize("restarted", [False, True], ids=["the same leader", "a new leader"])
def test_fifteen_newcomers_with_slow_webhooks_delay_no_verdict(
    monkeypatch: pytest.MonkeyPatch, restarted: bool
) -> None:
    async def story() -> tuple[float, list[str]]:
        world = await World(CANARY).play()
        world = world.fork() if restarted else world
        kinds = slow_webhooks(monkeypatch)
        fleet = Neighbours(world)
        for key in newcomers(world, 15):
            fleet.queue.add(key)
        world.set_pods("better", 8, CRASH_LOOP)
        world.actors.settle()
        world._deliver()
        fleet.queue.add(world.key)
        return await fleet.seconds_until_back(), kinds

    took, kinds = on_virtual_time(story())
    assert took <= 2.0 and "Deployment" in kinds  # the newcomers were in the middle of it


def test_newcomers_with_slow_webhooks_delay_no_alarm_about_what_is_live(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> float:
        world = await World(rollouts.FIRST).play()
        slow_webhooks(monkeypatch)
        fleet, loop = Neighbours(world), asyncio.get_running_loop()
        for key in newcomers(world, 15):
            fleet.queue.add(key)
        working = asyncio.create_task(fleet.queue.run())
        await asyncio.sleep(15.0)
        longest = 0.0
        for _ in range(20):
            began = loop.time()
            seen = asyncio.Event()
            watched = world.reconciler._gatherer.observe

            async def and_tell(key: Key, *rest: Any, seen: Any = seen, of: Any = watched) -> Any:
                if key == world.key:
                    seen.set()
                return await of(key, *rest)

            world.reconciler._gatherer.observe = and_tell  # type: ignore[method-assign]
            fleet.queue.add(world.key)
            await seen.wait()
            longest = max(longest, loop.time() - began)
            world.reconciler._gatherer.observe = watched  # type: ignore[method-assign]
            await asyncio.sleep(5.0)
        await fleet.queue.drain(60.0)
        await working
        return longest

    assert on_virtual_time(story()) <= 1.0


async def test_what_is_exposed_compared_or_leaves_is_urgent_by_its_status() -> None:
    world = await World(CANARY).play()
    assert is_urgent(world.status) and world.fork().reconciler.urgent(world.key)
    world.traffic.set_errors("better", BAD)
    await world.run(lambda w: bool(w.status.get("rejected")), 300.0, "it is rejected")
    assert is_urgent(world.status)
    await world.advance(120.0)
    assert not is_urgent(world.status)


@pytest.mark.parametrize("script", [rollouts.ROLLED_BACK, live_monitoring.COLD_TAKEN_BACK])
async def test_a_story_ends_alike_when_what_takes_long_has_passes_of_its_own(
    script: tuple[Step, ...],
) -> None:
    world = World(script)
    reconcile, asked = world.reconciler.reconcile, set[Key]()
    world.reconciler._defer = asked.add

    async def in_two(key: Key) -> float | None:
        after = await reconcile(key, hurried=True)
        if key in asked:
            asked.discard(key)
            return await reconcile(key)
        return after

    world.reconciler.reconcile = in_two  # type: ignore[method-assign,assignment]
    await world.play()
