"""An object at rest costs the API server nothing."""

from __future__ import annotations

from tests.world import scenarios
from tests.world.evaluations import LOST
from tests.world.world import World


async def test_five_minutes_after_a_promotion_there_is_no_call_about_the_object() -> None:
    world = await World(scenarios.PROMOTED).play()
    await world.rest(300.0)
    before = (world.server.reads, world.server.writes, len(world.notes))
    await world.rest(300.0)
    assert (world.server.reads, world.server.writes, len(world.notes)) == before


async def test_an_object_that_was_rolled_back_costs_nothing_either() -> None:
    world = await World(scenarios.ROLLED_BACK).play()
    await world.rest(300.0)
    before = (world.server.reads, world.server.writes, len(world.notes))
    await world.rest(300.0)
    assert (world.server.reads, world.server.writes, len(world.notes)) == before


async def test_an_operator_that_starts_again_writes_nothing_to_an_object_at_rest() -> None:
    world = await World(scenarios.PROMOTED).play()
    await world.rest(300.0)
    again = world.fork()
    writes = again.server.writes
    await again.rest(300.0)
    assert again.server.writes == writes


async def test_a_gate_that_gave_up_for_want_of_a_report_is_not_looked_for_in_every_pass() -> None:
    def held(world: World) -> bool:
        return bool((world.status.get("candidate") or {}).get("held"))

    world = World((*scenarios.FIRST, scenarios.apply("lost", held)))
    world.actors.endings["lost"] = (LOST,)
    await world.play()
    await world.rest(60.0)
    calls = world.server.reads + world.server.writes
    for _ in range(5):
        await world.reconciler.reconcile(world.key)
    assert world.server.reads + world.server.writes == calls


async def test_nothing_is_remembered_of_an_object_that_is_gone() -> None:
    world = await World(scenarios.DELETED).play()
    await world.rest(60.0)
    assert not world.reconciler._memories
