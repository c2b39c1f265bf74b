"""What somebody edits by hand is seen, and put right, or said to be somebody else's."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.world import scenarios
from tests.world.world import World

NAME = "fraud-scorer"
STRANGER = "kubectl-edit"


async def canary() -> World:
    script = (*scenarios.FIRST, scenarios.apply("better", scenarios.exposed("better")))
    return await World(script).play()


async def serving() -> World:
    world = await World(scenarios.FIRST).play()
    await world.rest(330.0)
    return world


def arm(world: World, kind: str) -> tuple[str, str, str]:
    return (kind, "risk", f"{NAME}-{world.status['stable']['short']}")


def spec(world: World, ref: tuple[str, str, str]) -> dict[str, Any]:
    """What it says, without what others may change."""
    obj = world.store.objects[ref]
    kept = {k: v for k, v in obj["spec"].items() if k != "replicas"}
    return {"spec": kept, "labels": obj["metadata"].get("labels", {})}


def image(world: World) -> dict[str, Any]:
    template = world.store.objects[arm(world, "Deployment")]["spec"]["template"]
    edited: dict[str, Any] = json.loads(json.dumps(template))
    edited["spec"]["containers"][0]["image"] = "example.com/other:9"
    return {"spec": {"template": edited}}


EDITS: dict[str, tuple[str, Callable[[World], dict[str, Any]]]] = {
    "the image of an arm": ("Deployment", image),
    "an arm that is paused": ("Deployment", lambda world: {"spec": {"paused": True}}),
    "the label of an arm": (
        "Deployment",
        lambda world: {"metadata": {"labels": {"merit.dev/revision": "0badc0de"}}},
    ),
    "the selector of an arm's Service": (
        "Service",
        lambda world: {"spec": {"selector": {"app": "theirs"}}},
    ),
    "the watched label of an arm's Service": (
        "Service",
        lambda world: {"metadata": {"labels": {"merit.dev/name": None}}},
    ),
}


@pytest.mark.parametrize("what", EDITS)
async def test_an_edit_by_hand_is_put_right_of(what: str) -> None:
    world = await serving()
    kind, edit = EDITS[what]
    ref = arm(world, kind)
    before = spec(world, ref)
    world.store.patch(ref, edit(world), STRANGER)
    await world.rest(30.0)
    assert spec(world, ref) == before
    assert world.status["phase"] == "Live"
    quiet = (world.server.writes, world.server.reads)
    await world.rest(300.0)
    assert (world.server.writes, world.server.reads) == quiet


async def test_the_edited_service_of_the_callers_inside_is_put_right() -> None:
    world = await serving()
    ref = ("Service", "risk", NAME)
    before = spec(world, ref)
    world.store.patch(ref, {"spec": {"selector": {"merit.dev/revision": "0badc0de"}}}, STRANGER)
    await world.rest(30.0)
    assert spec(world, ref) == before


async def test_weights_that_somebody_raised_are_put_back_at_once() -> None:
    world = await canary()
    before = world.weights
    world.store.patch(("HTTPRoute", "risk", NAME), raised(world), STRANGER)
    assert world.weights["better"] == 80
    await world.rest(2.0)
    assert world.weights == before


def raised(world: World) -> dict[str, Any]:
    refs = [
        {"name": f"{NAME}-{world.status['stable']['short']}", "weight": 20},
        {"name": f"{NAME}-{world.status['candidate']['short']}", "weight": 80},
    ]
    return {"spec": {"rules": [{"backendRefs": refs}]}}


async def test_who_edits_again_and_again_is_told_so_and_weights_are_put_back_all_the_same() -> None:
    world = await canary()
    before = world.weights
    for _ in range(6):
        world.store.patch(("HTTPRoute", "risk", NAME), raised(world), STRANGER)
        await world.rest(2.0)
        assert world.weights == before
    assert "again and again" in world.status["summary"]
    assert {c["reason"] for c in world.status["conditions"]} >= {"OwnershipConflict"}
    await world.run(scenarios.live("better"), 1800.0, "it goes on when the stranger is tired")


async def test_what_others_add_is_theirs_and_no_drift() -> None:
    world = await serving()
    writes = world.server.writes
    for kind in ("Deployment", "Service"):
        marks = {"labels": {"team": "a"}, "annotations": {"deployment.kubernetes.io/revision": "1"}}
        world.store.patch(arm(world, kind), {"metadata": marks}, "deployment-controller")
    await world.rest(60.0)
    assert world.server.writes == writes


async def test_a_webhook_that_changes_what_is_applied_is_no_fight() -> None:
    world = World(scenarios.FIRST)

    def mutate(obj: dict[str, Any]) -> None:
        if obj["kind"] == "Deployment":
            meta = obj["spec"]["template"].setdefault("metadata", {})
            meta["annotations"] = {**meta.get("annotations", {}), "sidecar.example.com/inject": "1"}

    world.store.webhook = mutate
    await world.play()
    await world.rest(330.0)
    quiet = (world.server.writes, world.server.reads)
    await world.rest(300.0)
    assert (world.server.writes, world.server.reads) == quiet
    world.store.patch(arm(world, "Deployment"), image(world), STRANGER)
    await world.rest(30.0)
    (container,) = world.store.objects[arm(world, "Deployment")]["spec"]["template"]["spec"][
        "containers"
    ]
    assert container["image"] == "example.com/server:1"


@pytest.mark.parametrize("kind", ["Deployment", "Service"])
async def test_without_our_owner_reference_it_is_somebody_elses_and_never_deleted(
    kind: str,
) -> None:
    world = await serving()
    ref = arm(world, kind)
    world.store.patch(ref, {"metadata": {"ownerReferences": None}}, STRANGER)
    await world.rest(30.0)
    assert "belongs to somebody else" in world.status["summary"]
    assert world.weights == {"good": 100}
    writes = world.server.writes
    await world.rest(30.0)
    assert world.server.writes == writes  # said once: nothing is tried again and again
    world.store.delete(("ModelDeployment", *world.key), STRANGER)
    await world.rest(30.0)
    assert ref in world.store.objects
    assert not world.monitor.violations


async def test_the_owner_reference_comes_back_and_all_is_well_again() -> None:
    world = await serving()
    ref = arm(world, "Deployment")
    owners = world.store.objects[ref]["metadata"]["ownerReferences"]
    world.store.patch(ref, {"metadata": {"ownerReferences": None}}, STRANGER)
    await world.rest(30.0)
    world.store.patch(ref, {"metadata": {"ownerReferences": owners}}, STRANGER)
    await world.rest(130.0)
    assert world.status["phase"] == "Live"
    assert {c["type"]: c["status"] for c in world.status["conditions"]}["Ready"] == "True"


async def test_a_deleted_route_comes_back_with_all_traffic_at_the_stable_revision() -> None:
    world = await canary()
    world.store.delete(("HTTPRoute", "risk", NAME), STRANGER)
    await world.run(lambda w: bool(w.weights), 10.0, "it is back")
    assert world.weights == {"good": 100}
    assert "RouteGone" in {stage["reason"] for stage in world.status["flow"]}
    await world.run(scenarios.live("better"), 1800.0, "and the rollout starts again")
    assert not world.monitor.violations


@pytest.mark.parametrize("kind", ["Deployment", "Service"])
async def test_a_deleted_part_of_what_serves_is_made_again(kind: str) -> None:
    world = await serving()
    ref = arm(world, kind)
    world.store.delete(ref, STRANGER)
    await world.rest(10.0)
    assert ref in world.store.objects
    assert world.weights == {"good": 100}


async def test_a_new_operator_sees_an_edit_that_was_made_while_none_ran() -> None:
    world = await serving()
    ref = arm(world, "Service")
    before = spec(world, ref)
    again = world.fork()
    again.store.patch(ref, {"spec": {"selector": {"app": "theirs"}}}, STRANGER)
    again._start()
    await again.rest(30.0)
    assert spec(again, ref) == before


async def test_what_an_apply_cannot_take_back_is_said_with_the_name_of_who_set_it() -> None:
    world = await serving()
    ref = arm(world, "Deployment")
    pinned = {"spec": {"template": {"spec": {"nodeSelector": {"disk": "ssd"}}}}}
    world.store.patch(ref, pinned, STRANGER)
    await world.rest(30.0)
    assert STRANGER in world.status["summary"]
    assert world.weights == {"good": 100}
    world.store.patch(ref, {"spec": {"template": {"spec": {"nodeSelector": None}}}}, STRANGER)
    await world.rest(120.0)
    assert {c["type"]: c["status"] for c in world.status["conditions"]}["Ready"] == "True"
