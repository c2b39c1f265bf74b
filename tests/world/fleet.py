"""Many objects, each in a world of its own, that share one circuit breaker."""

from __future__ import annotations

from merit.kube.cache import Key
from merit.policy.outcomes.incident import Outcome
from merit.reconciler.breaker import CircuitBreaker
from tests.world.traffic import SCRAPE
from tests.world.world import World

STEP = 0.1  # seconds that each world advances in turn


class SharedBreaker(CircuitBreaker):
    """One world's access to the breaker of all: it votes under the key of its own object."""

    def __init__(self, shared: CircuitBreaker, key: Key) -> None:
        super().__init__()
        self._shared, self._key = shared, key

    def vote(self, _: Key, *, bad: bool, relieved: bool = False, now: float) -> Outcome:
        """Vote as this world's object."""
        return self._shared.vote(self._key, bad=bad, relieved=relieved, now=now)

    def incident(self, _: Key, now: float) -> str:
        """The incident of all of them."""
        return self._shared.incident(self._key, now)


class WorldFleet:
    """Copies of one world at the same time."""

    def __init__(self, world: World, count: int, namespaces: int = 3) -> None:
        self.breaker = CircuitBreaker()
        self.keys = [Key(f"risk-{i % namespaces}", f"model-{i}") for i in range(count)]
        self.worlds = [world.fork(SharedBreaker(self.breaker, key)) for key in self.keys]
        self._scrapes = 0.0

    async def run(self, seconds: float) -> None:
        """Let time pass for all of them at once; all are measured with the same scrape."""
        for _ in range(round(seconds / STEP)):
            now = self.worlds[0].now
            if (now + STEP) // SCRAPE > self._scrapes:  # the poll begins before its result is read
                self._scrapes = (now + STEP) // SCRAPE
                self.breaker.begin("prometheus", "models", self.keys, now)
                for world in self.worlds:
                    world.due = min(world.due, now + STEP)
            for world in self.worlds:
                await world.advance(STEP)

    def set_errors(self, count: int, share: float) -> None:
        """In so many of the worlds, that share of the requests to `better` fails."""
        for world in self.worlds[:count]:
            world.traffic.set_errors("better", share)

    def rejected(self) -> int:
        """How many were rolled back."""
        return sum(bool(world.status.get("rejected")) for world in self.worlds)

    def held(self) -> int:
        """How many are not blamed because of an incident."""
        reports = [
            str(world.status.get("flow", "")) + str(world.status.get("alarm", ""))
            for world in self.worlds
        ]
        return sum("FleetIncident" in report for report in reports)
