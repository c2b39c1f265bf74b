"""A route that lost the operator's owner reference still sends: it is read, and gone round."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.scenarios.scripts import rollouts, steps
from tests.world.manifests import by_pod_count
from tests.world.server import Faults
from tests.world.world import World

NAME = "fraud-scorer"
ROUTE = ("HTTPRoute", "risk", NAME)
STRANGER = "kubectl-edit"
BAD_ENDS: dict[str, Callable[[World], None]] = {
    "errors": lambda world: world.traffic.set_errors("better", steps.BAD),
    "an abort": lambda world: steps.annotate(world, "abort", "INC-1"),
}


@pytest.fixture(scope="module")
def canary() -> World:
    """`better` at its first step; then the route loses its owner."""
    script = (*rollouts.FIRST, steps.apply("better", steps.exposed("better")))
    world = asyncio.run(World(script).play())
    world.store.patch(ROUTE, {"metadata": {"ownerReferences": None}}, STRANGER)
    return world


def selected(world: World, version: str) -> str:
    """The revision whose pods that version's Service selects."""
    service = world.store.objects["Service", "risk", f"{NAME}-{world.short(version)}"]
    return str(service["spec"]["selector"]["merit.dev/revision"])


@pytest.mark.parametrize("end", BAD_ENDS)
async def test_what_is_rejected_keeps_its_pods_while_a_route_of_others_sends_to_it(
    canary: World, end: str
) -> None:
    world = canary.fork()
    BAD_ENDS[end](world)
    await world.run(lambda w: "better" not in str(w.status.get("candidate")), 600.0, "rejected")
    await world.advance(120.0)
    assert world.weights == {"good": 90, "better": 10}
    assert ("Deployment", "risk", f"{NAME}-{world.short('better')}") in world.store.objects
    assert selected(world, "better") == world.short("good")
    assert selected(world, "good") == world.short("good")
    writes = world.server.writes
    await world.advance(30.0)
    assert world.server.writes == writes
    assert not world.invariants.violations


async def test_with_its_owner_back_the_route_takes_the_traffic_and_the_pods_go(
    canary: World,
) -> None:
    world = canary.fork()
    world.traffic.set_errors("better", steps.BAD)
    await world.run(lambda w: selected(w, "better") == w.short("good"), 600.0, "diverted")
    assert world.condition("Reconciling")["reason"] == "RollbackBlocked"
    good = world.store.objects["Service", "risk", f"{NAME}-{world.short('good')}"]
    owners = good["metadata"]["ownerReferences"]
    world.store.patch(ROUTE, {"metadata": {"ownerReferences": owners}}, STRANGER)
    await world.run(steps.rolled_back, 300.0, "rolled back")
    assert world.weights == {"good": 100}


async def test_a_front_service_of_somebody_else_does_not_keep_the_route_from_going_back(
    canary: World,
) -> None:
    script = (*rollouts.FIRST, steps.apply("better", steps.exposed("better")))
    world = await World(script).play()
    world.store.patch(("Service", "risk", NAME), {"metadata": {"ownerReferences": None}}, STRANGER)
    world.traffic.set_errors("better", steps.BAD)
    await world.run(lambda w: w.weights == {"good": 100}, 600.0, "taken back")


async def test_a_service_that_is_diverted_stays_so_while_no_route_can_be_written() -> None:
    script = (*rollouts.FIRST, steps.apply("better", steps.exposed("better")))
    world = await World(script).play()
    world.server.faults = Faults(deny=frozenset({"HTTPRoute"}))
    steps.apply("failing", steps.observed).do(world)
    await world.run(lambda w: selected(w, "better") == w.short("good"), 60.0, "diverted")
    for _ in range(20):
        await world.advance(1.0)
        assert selected(world, "better") == world.short("good")


async def test_by_pod_count_a_service_of_somebody_else_loses_the_pods_of_what_is_rejected() -> None:
    script = (
        steps.apply_object(by_pod_count("good"), steps.live("good")),
        steps.apply_object(by_pod_count("better"), steps.exposed("better")),
    )
    world = await World(script, per_pod=True).play()
    world.store.patch(("Service", "risk", NAME), {"metadata": {"ownerReferences": None}}, STRANGER)
    world.traffic.set_errors("better", steps.BAD)
    gone = ("Deployment", "risk", f"{NAME}-{world.short('better')}")
    await world.run(lambda w: gone not in w.store.objects, 600.0, "its pods are gone")
    assert world.weights == {"good": 100}
