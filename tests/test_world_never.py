"""Of what must never happen one event is enough, and it is blamed on nobody who came later."""

from __future__ import annotations

import pytest

from tests.test_world_breaker import Fleet
from tests.world import never
from tests.world.crashing import killed_anywhere
from tests.world.evaluations import NO_IMAGE
from tests.world.world import World


@pytest.mark.parametrize("name", never.ALL)
async def test_one_event_ends_as_it_should_and_breaks_no_invariant(name: str) -> None:
    world = await World(never.ALL[name]).play()
    await world.rest(7200.0)
    assert len(world.status.get("rejected", [])) == (name in never.CRASHED)
    assert not world.monitor.violations


@pytest.mark.parametrize("name", never.CRASHED)
async def test_killed_at_any_write_after_an_event_it_ends_the_same(name: str) -> None:
    async for _ in killed_anywhere(never.ALL[name], least=5):
        pass


async def test_a_cold_predecessor_gets_nothing_before_it_is_ready_whatever_is_at_a_gate() -> None:
    def evaluated(world: World) -> bool:
        return (world.status.get("candidate") or {}).get("stage") == "Evaluation"

    world = World((*never.COLD, never.declare("stuck", evaluated)))
    world.actors.endings["stuck"] = (NO_IMAGE,)
    await world.play()
    cold = next(short for short, version in world.traffic.versions.items() if version == "good")

    def ready(world: World) -> bool:
        found = world.store.objects.get(("EndpointSlice", "risk", f"fraud-scorer-{cold}-slice"))
        return found is not None and any(e["conditions"]["ready"] for e in found["endpoints"])

    await world.rest(30.0)
    assert not ready(world)
    world.traffic.happens()
    await world.run(lambda w: w.weights == {"good": 100}, 300.0, "it is taken back")
    assert ready(world)


@pytest.mark.parametrize("script", [never.CANARY, never.WARM], ids=["a candidate", "what is live"])
async def test_it_is_taken_back_at_the_first_reading_that_shows_it(script) -> None:
    world = await World(script).play()
    await world.rest(60.0)
    world.traffic.happens()
    await world.run(lambda w: w.weights == {"good": 100}, 32.0, "one reading and one pass")
    assert "Verifying" not in world.notes


async def test_an_operator_that_starts_again_knows_that_it_was_whole_before() -> None:
    world = await World(never.CANARY).play()
    await world.rest(45.0)
    world.traffic.happens()
    again = world.fork()  # nothing has read it yet, and what was read before is gone
    await again.run(never.fell, 90.0, "it is blamed all the same")


async def test_where_a_person_takes_back_the_owner_is_alerted_and_no_step_follows() -> None:
    world = await World(never.A_CANDIDATE_BY_A_PERSON[:-2]).play()
    world.traffic.happens()
    await world.rest(120.0)
    assert world.weights["better"] == 10
    assert {s["reason"] for s in world.status["flow"]} >= {"Vetoed"}


async def test_twelve_at_once_are_an_incident_and_held_for_ten_minutes() -> None:
    fleet = Fleet(await World(never.CANARY).play(), 12)
    for seconds in (90.0, 200.0, 200.0):
        for world in fleet.worlds:
            world.traffic.happens()
        await fleet.run(seconds)
        assert (fleet.fell(), fleet.held()) == (0, 12)
    for world in fleet.worlds:
        world.traffic.happens()
    await fleet.run(200.0)
    assert (fleet.fell(), fleet.breaker.trips) == (12, 1)


async def test_what_an_incident_held_and_is_over_is_blamed_on_nobody() -> None:
    fleet = Fleet(await World(never.CANARY).play(), 12)
    for world in fleet.worlds:
        world.traffic.happens()
    await fleet.run(700.0)
    assert fleet.fell() == 0
    assert all(world.weights["better"] > 10 for world in fleet.worlds)
