"""Twelve objects that share a circuit breaker: an incident withholds blame, and never relief."""

from __future__ import annotations

import pytest

from merit.kube.cache import Key
from merit.policy.state.times import seconds
from merit.reconciler.breaker import CircuitBreaker
from tests.scenarios.scripts import rollouts, steps
from tests.scenarios.scripts.steps import BAD, POLICY, advance, edit
from tests.world.fleet import WorldFleet
from tests.world.manifests import OBJECT
from tests.world.traffic import SCRAPE
from tests.world.world import Step, World

AT_ONCE = 2 * SCRAPE + 1.0  # seconds: two scrapes, and the pass that reads the second
BROKEN = 1.0  # share of failed requests


@pytest.fixture
async def canaries() -> WorldFleet:
    """Twelve candidates at their first step, in three namespaces."""
    return WorldFleet(await World(rollouts.CANARY).play(), 12)


def without_traffic(fleet: WorldFleet) -> int:
    return sum(world.weights == {"good": 100} for world in fleet.worlds)


async def test_twelve_canaries_that_fail_at_once_lose_their_traffic_at_once_and_are_not_blamed(
    canaries: WorldFleet,
) -> None:
    canaries.set_errors(12, BROKEN)
    await canaries.run(AT_ONCE)
    assert (without_traffic(canaries), canaries.rejected(), canaries.held()) == (12, 0, 12)
    for world in canaries.worlds:
        assert world.status["phase"] == "Withdrawn"
        assert world.notes.count("FleetIncident") + world.notes.count("Withdrawn") <= 2


@pytest.mark.slow
async def test_what_an_incident_excused_is_tried_again_once_and_then_blamed(
    canaries: WorldFleet,
) -> None:
    canaries.set_errors(12, BROKEN)
    await canaries.run(AT_ONCE + 560.0)
    assert (without_traffic(canaries), canaries.rejected()) == (12, 0)
    await canaries.run(60.0 + AT_ONCE)
    assert {world.notes.count("WeightRaised") for world in canaries.worlds} == {2}
    assert (canaries.rejected(), canaries.breaker.trips) == (12, 1)


async def test_what_an_incident_excused_is_promoted_when_it_is_good(canaries: WorldFleet) -> None:
    canaries.set_errors(12, BROKEN)
    await canaries.run(AT_ONCE)
    first = canaries.worlds[0]
    first.traffic.set_errors("better", 0.0005)
    tried_again = seconds(first.status["candidate"]["excused"])
    await first.run(lambda w: w.weights == {"better": 100}, 2400.0, "it is promoted")
    assert first.now > tried_again
    assert not first.invariants.violations


async def test_twelve_bad_canaries_of_one_namespace_hold_nobody() -> None:
    canaries = WorldFleet(await World(rollouts.CANARY).play(), 12, namespaces=1)
    canaries.set_errors(12, BROKEN)
    await canaries.run(AT_ONCE)
    assert (canaries.rejected(), canaries.held(), canaries.breaker.trips) == (12, 0, 0)


async def test_nine_of_twelve_canaries_that_turn_bad_are_rolled_back(canaries: WorldFleet) -> None:
    canaries.set_errors(9, BAD)
    await canaries.run(120.0)
    assert (canaries.rejected(), canaries.held()) == (9, 0)


async def test_canaries_whose_stable_fails_in_the_same_seconds_keep_their_share_meanwhile(
    canaries: WorldFleet,
) -> None:
    for world in canaries.worlds:
        world.traffic.set_errors("good", 0.07)
        world.traffic.set_errors("better", 0.12)
    await canaries.run(120.0)
    assert (canaries.rejected(), canaries.held()) == (0, 12)
    assert all(world.weights == {"good": 90, "better": 10} for world in canaries.worlds)
    for world in canaries.worlds:  # stable is well again, and the candidates are as bad as before
        world.traffic.set_errors("good", 0.0005)
    await canaries.run(AT_ONCE)
    assert (without_traffic(canaries), canaries.rejected()) == (12, 0)


async def test_an_incident_holds_no_candidate_whose_pods_are_down(canaries: WorldFleet) -> None:
    canaries.set_errors(11, BROKEN)
    last = canaries.worlds[11]
    await canaries.run(AT_ONCE)
    assert canaries.held() == 11
    last.actors.crash_looping.add(f"{last.key.name}-{last.status['candidate']['short']}")
    last.wake_actors()
    await canaries.run(5.0)
    assert (canaries.rejected(), last.weights) == (1, {"good": 100})


async def test_a_person_rejects_and_retries_what_an_incident_excused(canaries: WorldFleet) -> None:
    canaries.set_errors(12, BROKEN)
    await canaries.run(AT_ONCE)
    first, second = canaries.worlds[:2]
    for world, verb in ((first, "abort"), (second, "retry")):
        steps.annotate(world, verb, "CANDIDATE")
    await canaries.run(5.0)
    assert first.status["rejected"][0]["reason"] == "Aborted"
    assert second.weights == {"good": 90, "better": 10}


async def nine_that_wait() -> tuple[WorldFleet, World]:
    """Nine that have lost their traffic; as the three others are not judged, nothing is settled."""
    canaries = WorldFleet(await World(rollouts.CANARY).play(), 12)
    canaries.worlds = canaries.worlds[:9]
    canaries.set_errors(9, BROKEN)
    await canaries.run(AT_ONCE)
    assert (without_traffic(canaries), canaries.rejected()) == (9, 0)
    return canaries, canaries.worlds[0]


async def test_newer_content_supersedes_a_candidate_that_waits_for_the_others() -> None:
    canaries, first = await nine_that_wait()
    steps.apply("newest", steps.observed).do(first)
    await canaries.run(2.0)
    assert first.status["candidate"]["version"] == "newest"
    assert not first.status.get("rejected")


async def test_edited_bars_judge_a_candidate_anew_that_waits_for_the_others() -> None:
    canaries, first = await nine_that_wait()
    steps.change("constraints.errors.max", "20%", steps.observed).do(first)
    await canaries.run(2.0)
    for key in canaries.keys[9:]:
        canaries.breaker.vote(key, bad=False, now=first.now)
    await canaries.run(2.0)
    assert not first.status.get("rejected")
    assert (canaries.rejected(), canaries.held()) == (8, 0)


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
    bad, *others = (Key(f"risk-{i % 2}", f"model-{i}") for i in range(12))
    breaker.begin("prometheus", "models", [bad, *others], 0.0)
    assert breaker.vote(bad, bad=True, now=0.0) == "wait"
    for key in others:
        breaker.vote(key, bad=False, now=0.0)
    assert woken == [bad]
    assert breaker.vote(bad, bad=True, now=0.0) == "act"
