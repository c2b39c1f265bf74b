"""Twelve objects that share a circuit breaker: an incident holds, a bad model is rolled back."""

from __future__ import annotations

import pytest

from merit.kube.cache import Key
from merit.reconciler.breaker import CircuitBreaker
from tests.scenarios.scripts import rollouts, steps
from tests.scenarios.scripts.steps import BAD, POLICY, advance, edit
from tests.world.fleet import WorldFleet
from tests.world.manifests import OBJECT
from tests.world.world import Step, World


@pytest.fixture
async def canaries() -> WorldFleet:
    """Twelve candidates at their first step."""
    return WorldFleet(await World(rollouts.CANARY).play(), 12)


async def test_twelve_of_twelve_canaries_that_turn_bad_at_once_are_held_first_and_judged_later(
    canaries: WorldFleet,
) -> None:
    canaries.set_errors(12, BAD)
    await canaries.run(120.0)
    assert (canaries.rejected(), canaries.held()) == (0, 12)
    assert all(world.weights == {"good": 90, "better": 10} for world in canaries.worlds)
    assert all(world.notes.count("FleetIncident") == 1 for world in canaries.worlds)
    await canaries.run(600.0)
    assert (canaries.rejected(), canaries.breaker.trips) == (12, 1)


async def test_nine_of_twelve_canaries_that_turn_bad_are_rolled_back(canaries: WorldFleet) -> None:
    canaries.set_errors(9, BAD)
    await canaries.run(120.0)
    assert (canaries.rejected(), canaries.held()) == (9, 0)


async def test_an_incident_holds_no_candidate_whose_pods_are_down(canaries: WorldFleet) -> None:
    canaries.set_errors(12, BAD)
    await canaries.run(120.0)
    first = canaries.worlds[0]
    first.actors.crash_looping.add(f"{first.key.name}-{first.status['candidate']['short']}")
    first.wake_actors()
    await canaries.run(5.0)
    assert canaries.rejected() == 1
    assert first.weights == {"good": 100}


async def test_twelve_live_models_that_alarm_at_once_are_not_compared_and_send_alerts() -> None:
    script = (*rollouts.PROMOTED, advance(200.0))
    live = WorldFleet(await World(script).play(), 12)
    live.set_errors(12, BAD)
    await live.run(150.0)
    assert live.held() == 12
    assert all(world.weights == {"better": 100} for world in live.worlds)
    await live.run(660.0)
    assert live.rejected() == 12
    assert all(not world.invariants.violations for world in live.worlds)


def unproven(**policy: object) -> tuple[Step, ...]:
    """A candidate at its first step that is inconclusive for two minutes, and then rolled back."""
    rollout = OBJECT["spec"]["rollout"] | {
        "blastRadius": "0.1%",
        "maxDuration": "2m",
        "onInconclusive": "Rollback",
    }
    parts = {"rollout": rollout, "rollbackPolicy": POLICY | policy}
    return (*rollouts.FIRST, edit(steps.exposed("better"), "better", **parts))


async def test_twelve_inconclusive_candidates_are_an_incident_too() -> None:
    canaries = WorldFleet(await World(unproven()).play(), 12)
    await canaries.run(180.0)
    assert (canaries.rejected(), canaries.held()) == (0, 12)
    await canaries.run(600.0)
    assert (canaries.rejected(), canaries.breaker.trips) == (12, 1)


async def test_nine_inconclusive_candidates_are_rolled_back_as_declared() -> None:
    canaries = WorldFleet(await World(unproven()).play(), 9)
    await canaries.run(180.0)
    assert (canaries.rejected(), canaries.held()) == (9, 0)


async def test_an_inconclusive_candidate_stays_where_only_a_person_rolls_back() -> None:
    world = await World(unproven(automatic=False)).play()
    await world.advance(300.0)
    assert world.weights == {"good": 90, "better": 10}
    assert {stage["reason"] for stage in world.status["flow"]} >= {"Inconclusive"}


def test_an_object_that_need_not_wait_any_longer_is_queued_at_once() -> None:
    woken: list[Key] = []
    breaker = CircuitBreaker(woken.append)
    bad, *others = (Key("risk", f"model-{i}") for i in range(12))
    breaker.begin("models", [bad, *others], 0.0)
    assert breaker.vote(bad, bad=True, now=0.0) == "wait"
    for key in others:
        breaker.vote(key, bad=False, now=0.0)
    assert woken == [bad]
    assert breaker.vote(bad, bad=True, now=0.0) == "act"
