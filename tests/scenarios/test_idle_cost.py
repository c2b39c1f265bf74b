"""An object at rest causes no call to the API server."""

from __future__ import annotations

from tests.scenarios.scripts import rollouts, steps
from tests.world.evaluations import REPORT_LOST
from tests.world.world import World


async def test_five_minutes_after_a_promotion_the_object_causes_no_call() -> None:
    world = await World(rollouts.PROMOTED).play()
    await world.advance(300.0)
    before = (world.server.reads, world.server.writes, len(world.notes))
    await world.advance(300.0)
    assert (world.server.reads, world.server.writes, len(world.notes)) == before


async def test_after_a_rollback_the_object_causes_no_call() -> None:
    world = await World(rollouts.ROLLED_BACK).play()
    await world.advance(300.0)
    before = (world.server.reads, world.server.writes, len(world.notes))
    await world.advance(300.0)
    assert (world.server.reads, world.server.writes, len(world.notes)) == before


async def test_a_restarted_operator_writes_nothing_for_an_object_at_rest() -> None:
    world = await World(rollouts.PROMOTED).play()
    await world.advance(300.0)
    restarted = world.fork()
    writes = restarted.server.writes
    await restarted.advance(300.0)
    assert restarted.server.writes == writes


async def test_a_gate_held_without_a_report_causes_no_call_in_every_pass() -> None:
    def held(world: World) -> bool:
        return bool((world.status.get("candidate") or {}).get("held"))

    world = World((*rollouts.FIRST, steps.apply("lost", held)))
    world.actors.endings["lost"] = (REPORT_LOST,)
    await world.play()
    await world.advance(60.0)
    calls = world.server.reads + world.server.writes
    for _ in range(5):
        await world.reconciler.reconcile(world.key)
    assert world.server.reads + world.server.writes == calls


async def test_a_deleted_object_leaves_nothing_in_memory() -> None:
    world = await World(rollouts.DELETED).play()
    await world.advance(60.0)
    assert not world.reconciler._memories
