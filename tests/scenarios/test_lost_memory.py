"""Status and ledger are gone in mid-canary: what stands says who serves."""

from __future__ import annotations

import pytest

from tests.scenarios.scripts import rollouts, steps
from tests.scenarios.scripts.steps import USER
from tests.world.manifests import by_pod_count
from tests.world.server import Faults
from tests.world.world import World

NAME = "fraud-scorer"
LEDGER = ("ConfigMap", "risk", f"{NAME}-ledger")
CANARY = (*rollouts.FIRST, steps.apply("better", steps.exposed("better")))
BY_POD_COUNT = (
    steps.apply_object(by_pod_count("good"), steps.live("good")),
    steps.apply_object(by_pod_count("better"), steps.exposed("better")),
)


def lose_all(world: World) -> None:
    """Status, ledger and the operator's own memory."""
    steps.lose_status(world)
    world.store.delete(LEDGER, USER)
    world.restart_operator()


@pytest.mark.parametrize(
    ("script", "at"),
    [(CANARY, 10), (CANARY, 75), (BY_POD_COUNT, 20), (BY_POD_COUNT, 50)],
    ids=["gateway 10%", "gateway 75%", "by pod count 20%", "by pod count 50%"],
)
async def test_without_status_and_ledger_a_bad_version_does_not_become_a_first_deployment(
    script: tuple[steps.Step, ...], at: int
) -> None:
    world = await World(script, per_pod=script is BY_POD_COUNT).play()
    await world.run(lambda w: w.weights["better"] >= at, 1800.0, "its step")
    world.traffic.set_errors("better", steps.BAD)
    lose_all(world)
    await world.run(lambda w: bool(w.status.get("stable")), 30.0, "restored")
    assert world.version("stable") == "good"
    await world.run(steps.rolled_back, 1800.0, "it is tried again, and rolled back")
    assert world.weights == {"good": 100}


async def test_a_ledger_that_names_nothing_promoted_does_not_outweigh_the_route() -> None:
    world = await World(CANARY).play()
    world.store.patch(LEDGER, {"data": {"promoted": "[]", "lastHandled": '{"retry": "x"}'}}, USER)
    steps.lose_status(world)
    world.restart_operator()
    await world.run(lambda w: bool(w.status.get("lastHandled")), 30.0, "restored")
    assert world.version("stable") == "good"


async def test_a_rejection_is_in_the_ledger_though_its_route_cannot_be_written() -> None:
    world = await World(CANARY).play()
    world.server.faults = Faults(deny=frozenset({"HTTPRoute"}))
    world.traffic.set_errors("better", steps.BAD)
    await world.run(lambda w: bool(w.status.get("rejected")), 600.0, "rejected")
    await world.advance(5.0)
    assert world.short("better") in world.store.objects[LEDGER]["data"]["rejected"]
