"""How soon bad canaries lose their traffic, and are rejected, when many are judged at once.

    python -m bench.incident [--canaries 100 1000]

Each canary lives in a world of its own, in memory; all of them share one work queue and one
breaker, on one core, in real time. One poll measures all of them at once and finds some, or all,
bad. Exit code 1 if a bad one keeps its traffic, or if fewer than a fifth turn bad and one of them
is not rejected, or a fifth and more and one is.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from dataclasses import dataclass, field

from merit.kube.cache import Key
from merit.kube.workqueue import WorkQueue
from merit.policy.outcomes.incident import SHARE
from merit.reconciler.breaker import CircuitBreaker
from tests.scenarios.scripts import rollouts
from tests.scenarios.scripts.steps import BAD
from tests.world.fleet import SharedBreaker
from tests.world.traffic import SCRAPE
from tests.world.world import World

NAMESPACES = 10
SHARES = (0.001, 0.15, 1.0)  # of the canaries that turn bad in the same poll


async def before_the_verdict() -> tuple[World, World]:
    """A healthy canary, and one that the next scrape finds bad; both at the same moment."""
    world = await World(rollouts.CANARY).play()
    bad = world.fork()
    bad.traffic.set_errors("better", BAD)
    ahead = bad.fork()
    while not ahead.status.get("rejected"):
        await ahead.advance(1.0)
    scrape = ahead.now // SCRAPE * SCRAPE
    for each in (world, bad):
        await each.advance(scrape - 1.0 - each.now)
        assert not each.status.get("rejected")
    return world, bad


@dataclass
class Crowd:
    """Canaries that one queue works on, each a copy of one of two worlds.

    `relieved`, `rejected`, `held`, `judged`: after how many seconds each canary was. `relieved`: it
    has lost its traffic.
    """

    good_world: World
    bad_world: World
    keys: list[Key]
    bad: frozenset[Key]
    relieved: dict[Key, float] = field(default_factory=dict)
    rejected: dict[Key, float] = field(default_factory=dict)
    held: dict[Key, float] = field(default_factory=dict)
    judged: dict[Key, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._began, self._at = time.monotonic(), self.good_world.now
        self.breaker = CircuitBreaker(lambda key: self._queue.add(key, safety=True))
        self.canaries = {
            key: (self.bad_world if key in self.bad else self.good_world).fork(
                SharedBreaker(self.breaker, key)
            )
            for key in self.keys
        }
        self._queue = WorkQueue(
            self._reconcile, urgent=lambda k: self.canaries[k].reconciler.urgent(self._own(k))
        )

    async def poll(self, limit: float) -> None:
        """Reconcile each of them once, then one poll measures them all."""
        for world in self.canaries.values():
            await world.reconciler.reconcile(world.key)
        working = asyncio.create_task(self._queue.run())
        self._began, self._at = time.monotonic(), self._at + 1.5
        self.breaker.begin("prometheus", "exposed models", self.canaries, self._at)
        for key in self.canaries:
            self._queue.add(key)
        while not self._is_settled():
            assert self._passed() < limit, (len(self.rejected), len(self.held))
            await asyncio.sleep(0.01)
        await self._queue.drain(1.0)
        await working

    def _is_settled(self) -> bool:
        settled = len(self.rejected) + len(self.held)
        return settled == len(self.bad) and len(self.judged) == len(self.canaries)

    def _own(self, key: Key) -> Key:
        return self.canaries[key].key

    def _passed(self) -> float:
        return time.monotonic() - self._began

    async def _reconcile(self, key: Key) -> float | None:
        world = self.canaries[key]
        world.now = self._at + self._passed()
        requeue_after = await world.reconciler.reconcile(world.key)
        passed = self._passed()
        self.judged.setdefault(key, passed)
        if len(world.weights) == 1:
            self.relieved.setdefault(key, passed)
        if world.status.get("rejected"):
            self.rejected.setdefault(key, passed)
        elif "FleetIncident" in str(world.status.get("flow")):
            self.held.setdefault(key, passed)
        return requeue_after if key in self.bad and key not in self.rejected else None


async def measured(canaries: int, share: float, worlds: tuple[World, World]) -> Crowd:
    """One poll of so many canaries, of which that share is bad."""
    keys = [Key(f"risk-{i % NAMESPACES}", f"model-{i:04d}") for i in range(canaries)]
    stride = max(1, round(1 / share))
    bad = frozenset(keys[::stride]) if share < 0.5 else frozenset(keys)
    crowd = Crowd(*worlds, keys, bad)
    await crowd.poll(limit=300.0)
    return crowd


async def table(sizes: list[int]) -> int:
    """Print it. 1 if the breaker decided wrongly."""
    worlds = await before_the_verdict()
    wrong = 0
    print("| canaries | turn bad | judged | without traffic | rejected | excused | settled |")
    print("|---|---|---|---|---|---|---|")
    for size in sizes:
        for share in SHARES:
            crowd = await measured(size, share, worlds)
            times = [*crowd.rejected.values(), *crowd.held.values()]
            incident = len(crowd.bad) >= SHARE * size
            wrong += len(crowd.rejected if incident else crowd.held)
            wrong += len(crowd.bad ^ set(crowd.relieved))
            print(
                f"| {size:,} | {len(crowd.bad):,} | {max(crowd.judged.values()):.1f} s "
                f"| {max(crowd.relieved.values()):.1f} s | {len(crowd.rejected):,} "
                f"| {len(crowd.held):,} | {max(times):.1f} s |",
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
