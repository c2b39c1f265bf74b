"""How long a verdict waits for those of the same look: many canaries, the shipped circuit breaker.

    python -m bench.incident [--canaries 100 1000]

Each canary lives in a world of its own, in memory; all of them share one work queue and one
breaker, on one core, in real time. One look tells of all of them at once. Some, or all, turn bad by
it. Exit code 1 if fewer than a fifth turn bad and one of them is held, or a fifth and more and one
is rolled back.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from dataclasses import dataclass, field

from merit.cluster.cache import Key
from merit.cluster.workqueue import WorkQueue
from merit.policy.watch.breaker import trips
from merit.reconciler.breaker import Breaker
from tests.test_world_breaker import Seat
from tests.world import scenarios
from tests.world.traffic import SCRAPE
from tests.world.watching import BAD
from tests.world.world import World

FIRST = (*scenarios.FIRST, scenarios.apply("better", scenarios.exposed("better")))
SHARES = (0.001, 0.15, 1.0)  # that turn bad in the same look


async def before_the_verdict() -> tuple[World, World]:
    """A healthy canary, and one that the next scrape finds bad; both at the same moment."""
    world = await World(FIRST).play()
    doomed = world.fork()
    doomed.traffic.turn("better", BAD)
    ahead = doomed.fork()
    while not ahead.status.get("rejected"):
        await ahead.rest(1.0)
    scrape = ahead.now // SCRAPE * SCRAPE
    for each in (world, doomed):
        await each.rest(scrape - 1.0 - each.now)
        assert not each.status.get("rejected")
    return world, doomed


@dataclass
class Crowd:
    """Canaries that one queue works on. `told`: when each bad one was rolled back or held."""

    canaries: dict[Key, World]
    bad: frozenset[Key]
    breaker: Breaker = field(default_factory=Breaker)
    rolled_back: dict[Key, float] = field(default_factory=dict)
    held: dict[Key, float] = field(default_factory=dict)
    judged: dict[Key, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._began, self._at = time.monotonic(), next(iter(self.canaries.values())).now
        self._queue = WorkQueue(
            self._reconcile, urgent=lambda k: self.canaries[k].reconciler.urgent(self._own(k))
        )
        self.breaker.wake = lambda key: self._queue.add(key, safety=True)
        for key, world in self.canaries.items():
            world.reconciler.breaker = Seat(self.breaker, key)  # type: ignore[assignment]

    async def look(self, limit: float) -> None:
        """Each of them is seen once, then one look tells of them all."""
        for world in self.canaries.values():
            await world.reconciler.reconcile(world.key)
        working = asyncio.create_task(self._queue.run())
        self._began, self._at = time.monotonic(), self._at + 1.5
        self.breaker.begin("exposed models", self.canaries, self._at)
        for key in self.canaries:
            self._queue.add(key)
        while len(self.rolled_back) + len(self.held) < len(self.bad) or len(self.judged) < len(
            self.canaries
        ):
            assert self._passed() < limit, (len(self.rolled_back), len(self.held))
            await asyncio.sleep(0.01)
        await self._queue.drain(1.0)
        await working

    def _own(self, key: Key) -> Key:
        return self.canaries[key].key

    def _passed(self) -> float:
        return time.monotonic() - self._began

    async def _reconcile(self, key: Key) -> float | None:
        world = self.canaries[key]
        world.now = self._at + self._passed()
        again = await world.reconciler.reconcile(world.key)
        passed = self._passed()
        self.judged.setdefault(key, passed)
        if world.status.get("rejected"):
            self.rolled_back.setdefault(key, passed)
        elif "FleetIncident" in str(world.status.get("flow")):
            self.held.setdefault(key, passed)
        return again if key in self.bad and key not in self.rolled_back else None


async def measured(canaries: int, share: float, worlds: tuple[World, World]) -> Crowd:
    """Such a look."""
    well, doomed = worlds
    keys = [Key("risk", f"model-{i:04d}") for i in range(canaries)]
    stride = max(1, round(1 / share))
    bad = frozenset(keys[::stride]) if share < 0.5 else frozenset(keys)
    crowd = Crowd({key: (doomed if key in bad else well).fork() for key in keys}, bad)
    await crowd.look(limit=300.0)
    return crowd


async def table(sizes: list[int]) -> int:
    """Print it. 1 if the breaker told wrong."""
    worlds = await before_the_verdict()
    wrong = 0
    print("| canaries | turn bad | all judged after | rolled back | held | last one after |")
    print("|---|---|---|---|---|---|")
    for size in sizes:
        for share in SHARES:
            crowd = await measured(size, share, worlds)
            times = [*crowd.rolled_back.values(), *crowd.held.values()]
            incident = trips(len(crowd.bad), size)
            wrong += len(crowd.rolled_back if incident else crowd.held)
            print(
                f"| {size:,} | {len(crowd.bad):,} | {max(crowd.judged.values()):.1f} s "
                f"| {len(crowd.rolled_back):,} | {len(crowd.held):,} | {max(times):.1f} s |",
                flush=True,
            )
    return int(wrong > 0)


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m bench.incident")
    parser.add_argument("--canaries", type=int, nargs="+", default=[100, 1000])
    return asyncio.run(table(parser.parse_args().canaries))


if __name__ == "__main__":
    sys.exit(main())
