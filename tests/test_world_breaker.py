"""Twelve objects in as many worlds, one circuit breaker: an incident holds, a bad model falls."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from merit.cluster.cache import Key
from merit.policy.watch.breaker import Outcome
from merit.reconciler.breaker import Breaker
from tests.world import scenarios
from tests.world.manifests import OBJECT
from tests.world.traffic import SCRAPE
from tests.world.watching import BAD, POLICY, PROMOTED, edit, rest
from tests.world.world import Step, World

STEP = 0.1  # seconds in which each of them gets its turn


@dataclass
class Seat:
    """One world's place at the breaker of all."""

    shared: Breaker
    key: Key

    def vote(self, _: Key, *, bad: bool, now: float) -> Outcome:
        """As that object."""
        return self.shared.vote(self.key, bad=bad, now=now)

    def incident(self, now: float) -> str:
        """As everybody's."""
        return self.shared.incident(now)


class Fleet:
    """Copies of one world, side by side in time."""

    def __init__(self, world: World, count: int) -> None:
        self.breaker = Breaker()
        self.worlds = [world.fork() for _ in range(count)]
        self.keys = [Key("risk", f"model-{i}") for i in range(count)]
        for other, key in zip(self.worlds, self.keys, strict=True):
            other.reconciler.breaker = Seat(self.breaker, key)  # type: ignore[assignment]
        self.looked = 0.0

    async def run(self, seconds: float) -> None:
        """Let time pass for all of them at once; each scrape is one look at all."""
        for _ in range(round(seconds / STEP)):
            now = self.worlds[0].now
            if (now + STEP) // SCRAPE > self.looked:  # the look comes before what it tells
                self.looked = (now + STEP) // SCRAPE
                self.breaker.begin("models", self.keys, now)
                for world in self.worlds:
                    world.due = min(world.due, now + STEP)
            for world in self.worlds:
                await world.rest(STEP)

    def turn(self, count: int) -> None:
        """So many of the versions on their way, or live, begin to fail."""
        for world in self.worlds[:count]:
            world.traffic.turn("better", BAD)

    def fell(self) -> int:
        """How many were rolled back."""
        return sum(bool(world.status.get("rejected")) for world in self.worlds)

    def held(self) -> int:
        """How many an incident holds where they are."""
        told = [
            str(world.status.get("flow", "")) + str(world.status.get("alarm", ""))
            for world in self.worlds
        ]
        return sum("FleetIncident" in each for each in told)


@pytest.fixture
async def canaries() -> Fleet:
    """Twelve candidates at their first step."""
    script = (*scenarios.FIRST, scenarios.apply("better", scenarios.exposed("better")))
    return Fleet(await World(script).play(), 12)


async def test_twelve_of_twelve_canaries_that_turn_bad_at_once_are_held_then_judged(
    canaries: Fleet,
) -> None:
    canaries.turn(12)
    await canaries.run(120.0)
    assert (canaries.fell(), canaries.held()) == (0, 12)
    assert all(world.weights == {"good": 90, "better": 10} for world in canaries.worlds)
    assert all(world.notes.count("FleetIncident") == 1 for world in canaries.worlds)
    await canaries.run(600.0)
    assert (canaries.fell(), canaries.breaker.trips) == (12, 1)


async def test_nine_of_twelve_canaries_that_turn_bad_are_rolled_back(canaries: Fleet) -> None:
    canaries.turn(9)
    await canaries.run(120.0)
    assert (canaries.fell(), canaries.held()) == (9, 0)


async def test_an_incident_holds_no_candidate_whose_pods_are_down(canaries: Fleet) -> None:
    canaries.turn(12)
    await canaries.run(120.0)
    first = canaries.worlds[0]
    first.actors.looping.add(f"{first.key.name}-{first.status['candidate']['short']}")
    first.restless = True
    await canaries.run(5.0)
    assert canaries.fell() == 1
    assert first.weights == {"good": 100}


async def test_twelve_live_models_that_alarm_at_once_are_not_compared_and_alert() -> None:
    script = (*PROMOTED, rest(200.0))
    lives = Fleet(await World(script).play(), 12)
    lives.turn(12)
    await lives.run(150.0)
    assert lives.held() == 12
    assert all(world.weights == {"better": 100} for world in lives.worlds)
    await lives.run(660.0)
    assert lives.fell() == 12
    assert all(not world.monitor.violations for world in lives.worlds)


def unproven(**policy: object) -> tuple[Step, ...]:
    """A candidate at its first step that proves nothing within two minutes, and is then taken
    back.
    """
    rollout = OBJECT["spec"]["rollout"] | {
        "blastRadius": "0.1%",
        "maxDuration": "2m",
        "onInconclusive": "Rollback",
    }
    parts = {"rollout": rollout, "rollbackPolicy": POLICY | policy}
    return (*scenarios.FIRST, edit(scenarios.exposed("better"), "better", **parts))


async def test_twelve_candidates_that_prove_nothing_in_time_are_an_incident_too() -> None:
    canaries = Fleet(await World(unproven()).play(), 12)
    await canaries.run(180.0)
    assert (canaries.fell(), canaries.held()) == (0, 12)
    await canaries.run(600.0)
    assert (canaries.fell(), canaries.breaker.trips) == (12, 1)


async def test_nine_that_prove_nothing_in_time_are_taken_back_as_declared() -> None:
    canaries = Fleet(await World(unproven()).play(), 9)
    await canaries.run(180.0)
    assert (canaries.fell(), canaries.held()) == (9, 0)


async def test_what_proves_nothing_in_time_stays_where_only_a_person_takes_back() -> None:
    world = await World(unproven(automatic=False)).play()
    await world.rest(300.0)
    assert world.weights == {"good": 90, "better": 10}
    assert {stage["reason"] for stage in world.status["flow"]} >= {"Inconclusive"}


async def test_who_waits_no_longer_is_looked_at_as_soon_as_the_process_can() -> None:
    world, woken = World(()), []
    world.reconciler.wake = woken.append
    world.reconciler.breaker.wake(world.key)
    assert woken == [world.key]
