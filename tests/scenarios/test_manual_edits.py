"""Edits by hand are undone, or reported as owned by somebody else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.scenarios.scripts import rollouts, steps
from tests.world.world import World

NAME = "fraud-scorer"
STRANGER = "kubectl-edit"


async def canary() -> World:
    script = (*rollouts.FIRST, steps.apply("better", steps.exposed("better")))
    return await World(script).play()


async def serving() -> World:
    world = await World(rollouts.FIRST).play()
    await world.advance(330.0)
    return world


def live_object(world: World, kind: str) -> tuple[str, str, str]:
    return (kind, "risk", f"{NAME}-{world.status['stable']['short']}")


def spec(world: World, ref: tuple[str, str, str]) -> dict[str, Any]:
    """What it says, without what others may change."""
    obj = world.store.objects[ref]
    kept = {k: v for k, v in obj["spec"].items() if k != "replicas"}
    return {"spec": kept, "labels": obj["metadata"].get("labels", {})}


def image(world: World) -> dict[str, Any]:
    template = world.store.objects[live_object(world, "Deployment")]["spec"]["template"]
    edited: dict[str, Any] = json.loads(json.dumps(template))
    edited["spec"]["containers"][0]["image"] = "example.com/other:9"
    return {"spec": {"template": edited}}


EDITS: dict[str, tuple[str, Callable[[World], dict[str, Any]]]] = {
    "the image of a Deployment": ("Deployment", image),
    "a Deployment that is paused": ("Deployment", lambda world: {"spec": {"paused": True}}),
    "the label of a Deployment": (
        "Deployment",
        lambda world: {"metadata": {"labels": {"merit.dev/revision": "0badc0de"}}},
    ),
    "the selector of a revision's Service": (
        "Service",
        lambda world: {"spec": {"selector": {"app": "theirs"}}},
    ),
    "the watched label of a revision's Service": (
        "Service",
        lambda world: {"metadata": {"labels": {"merit.dev/name": None}}},
    ),
}


@pytest.mark.parametrize("what", EDITS)
async def test_an_edit_by_hand_is_undone(what: str) -> None:
    world = await serving()
    kind, edit = EDITS[what]
    ref = live_object(world, kind)
    before = spec(world, ref)
    world.store.patch(ref, edit(world), STRANGER)
    await world.advance(30.0)
    assert spec(world, ref) == before
    assert world.status["phase"] == "Live"
    quiet = (world.server.writes, world.server.reads)
    await world.advance(300.0)
    assert (world.server.writes, world.server.reads) == quiet


async def test_an_edit_of_the_service_for_clients_in_the_cluster_is_undone() -> None:
    world = await serving()
    ref = ("Service", "risk", NAME)
    before = spec(world, ref)
    world.store.patch(ref, {"spec": {"selector": {"merit.dev/revision": "0badc0de"}}}, STRANGER)
    await world.advance(30.0)
    assert spec(world, ref) == before


async def test_weights_raised_by_hand_are_restored_at_once() -> None:
    world = await canary()
    before = world.weights
    world.store.patch(("HTTPRoute", "risk", NAME), raised(world), STRANGER)
    assert world.weights["better"] == 80
    await world.advance(2.0)
    assert world.weights == before


def raised(world: World) -> dict[str, Any]:
    refs = [
        {"name": f"{NAME}-{world.status['stable']['short']}", "weight": 20},
        {"name": f"{NAME}-{world.status['candidate']['short']}", "weight": 80},
    ]
    return {"spec": {"rules": [{"backendRefs": refs}]}}


async def test_repeated_edits_are_reported_and_weights_are_restored_each_time() -> None:
    world = await canary()
    before = world.weights
    for _ in range(6):
        world.store.patch(("HTTPRoute", "risk", NAME), raised(world), STRANGER)
        await world.advance(2.0)
        assert world.weights == before
    assert "again and again" in world.status["summary"]
    assert {c["reason"] for c in world.status["conditions"]} >= {"OwnershipConflict"}
    await world.run(steps.live("better"), 1800.0, "it continues when the edits end")


async def test_what_others_add_is_kept_and_not_undone() -> None:
    world = await serving()
    writes = world.server.writes
    for kind in ("Deployment", "Service"):
        marks = {"labels": {"team": "a"}, "annotations": {"deployment.kubernetes.io/revision": "1"}}
        world.store.patch(live_object(world, kind), {"metadata": marks}, "deployment-controller")
    await world.advance(60.0)
    assert world.server.writes == writes


async def test_a_mutating_webhook_causes_no_endless_writes() -> None:
    world = World(rollouts.FIRST)

    def mutate(obj: dict[str, Any]) -> None:
        if obj["kind"] == "Deployment":
            meta = obj["spec"]["template"].setdefault("metadata", {})
            meta["annotations"] = {**meta.get("annotations", {}), "sidecar.example.com/inject": "1"}

    world.store.webhook = mutate
    await world.play()
    await world.advance(330.0)
    quiet = (world.server.writes, world.server.reads)
    await world.advance(300.0)
    assert (world.server.writes, world.server.reads) == quiet
    world.store.patch(live_object(world, "Deployment"), image(world), STRANGER)
    await world.advance(30.0)
    (container,) = world.store.objects[live_object(world, "Deployment")]["spec"]["template"][
        "spec"
    ]["containers"]
    assert container["image"] == "example.com/server:1"


@pytest.mark.parametrize("kind", ["Deployment", "Service"])
async def test_an_object_without_the_operators_owner_reference_is_never_deleted(
    kind: str,
) -> None:
    world = await serving()
    ref = live_object(world, kind)
    world.store.patch(ref, {"metadata": {"ownerReferences": None}}, STRANGER)
    await world.advance(30.0)
    assert "belongs to somebody else" in world.status["summary"]
    assert world.weights == {"good": 100}
    writes = world.server.writes
    await world.advance(30.0)
    assert world.server.writes == writes  # reported once, and not tried again and again
    world.store.delete(("ModelDeployment", *world.key), STRANGER)
    await world.advance(30.0)
    assert ref in world.store.objects
    assert not world.invariants.violations


async def test_when_the_owner_reference_is_back_it_is_ready_again() -> None:
    world = await serving()
    ref = live_object(world, "Deployment")
    owners = world.store.objects[ref]["metadata"]["ownerReferences"]
    world.store.patch(ref, {"metadata": {"ownerReferences": None}}, STRANGER)
    await world.advance(30.0)
    world.store.patch(ref, {"metadata": {"ownerReferences": owners}}, STRANGER)
    await world.advance(130.0)
    assert world.status["phase"] == "Live"
    assert {c["type"]: c["status"] for c in world.status["conditions"]}["Ready"] == "True"


async def test_a_deleted_route_comes_back_with_all_traffic_at_the_stable_revision() -> None:
    world = await canary()
    world.store.delete(("HTTPRoute", "risk", NAME), STRANGER)
    await world.run(lambda w: bool(w.weights), 10.0, "it is back")
    assert world.weights == {"good": 100}
    assert "RouteGone" in {stage["reason"] for stage in world.status["flow"]}
    await world.run(steps.live("better"), 1800.0, "and the rollout starts again")
    assert not world.invariants.violations


@pytest.mark.parametrize("kind", ["Deployment", "Service"])
async def test_a_deleted_object_of_the_live_revision_is_created_again(kind: str) -> None:
    world = await serving()
    ref = live_object(world, kind)
    world.store.delete(ref, STRANGER)
    await world.advance(10.0)
    assert ref in world.store.objects
    assert world.weights == {"good": 100}


async def test_a_new_operator_undoes_an_edit_made_while_none_ran() -> None:
    world = await serving()
    ref = live_object(world, "Service")
    before = spec(world, ref)
    restarted = world.fork()
    restarted.store.patch(ref, {"spec": {"selector": {"app": "theirs"}}}, STRANGER)
    restarted.restart_operator()
    await restarted.advance(30.0)
    assert spec(restarted, ref) == before


def restart(world: World, version: str) -> None:
    """`kubectl rollout restart`: an annotation of the pod template."""
    ref = ("Deployment", "risk", f"{NAME}-{world.short(version)}")
    world.store.patch(ref, rollout_restart(), "kubectl-rollout")


def rollout_restart() -> dict[str, Any]:
    at = {"kubectl.kubernetes.io/restartedAt": "2027-01-15T09:00:00Z"}
    return {"spec": {"template": {"metadata": {"annotations": at}}}}


def crash(world: World) -> None:
    world.actors.crash_looping.add(f"{NAME}-{world.short('better')}")
    world.wake_actors()


FAULTS: dict[str, tuple[Callable[[World], None], float]] = {
    "errors": (lambda world: world.traffic.set_errors("better", 0.30), 600.0),
    "crash loop": (crash, 120.0),
    "by hand": (lambda world: steps.annotate(world, "rollback", "INC-1"), 120.0),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_is_live_and_was_restarted_by_hand_is_taken_back_as_before(fault: str) -> None:
    world = await World(rollouts.PROMOTED).play()
    await world.advance(300.0)  # the predecessor's pods have gone
    writes = world.server.writes
    restart(world, "better")
    await world.advance(30.0)
    assert world.server.writes == writes
    assert world.status["phase"] == "Live"
    turn_bad, limit = FAULTS[fault]
    turn_bad(world)
    await world.run(lambda w: w.weights == {"good": 100}, limit, "its predecessor serves again")


async def test_a_new_version_rolls_out_beside_one_that_was_restarted_by_hand() -> None:
    world = await serving()
    restart(world, "good")
    steps.apply("better", steps.live("better")).do(world)
    await world.run(steps.live("better"), 1800.0, "promoted")
    assert not world.invariants.violations


async def test_what_others_declare_beside_the_template_stays_and_is_nobodys_business() -> None:
    world = await serving()
    ref = live_object(world, "Deployment")
    pinned = {"spec": {"template": {"spec": {"nodeSelector": {"disk": "ssd"}}}}}
    writes = world.server.writes
    world.store.patch(ref, pinned, STRANGER)
    await world.advance(60.0)
    assert world.server.writes == writes
    assert world.status["phase"] == "Live"
    assert spec(world, ref)["spec"]["template"]["spec"]["nodeSelector"] == {"disk": "ssd"}


async def test_a_name_that_was_taken_does_not_keep_the_predecessor_from_coming_back() -> None:
    world = await World(rollouts.PROMOTED).play()
    await world.advance(300.0)
    ref = live_object(world, "Service")
    world.store.patch(ref, {"metadata": {"ownerReferences": None}}, STRANGER)
    await world.advance(30.0)
    assert "OwnershipConflict" in {c["reason"] for c in world.status["conditions"]}
    world.traffic.set_errors("better", 0.30)
    await world.run(lambda w: w.weights == {"good": 100}, 600.0, "its predecessor serves again")


async def test_a_field_of_ours_that_is_edited_again_and_again_stops_no_rollout() -> None:
    world = await serving()
    ref = live_object(world, "Deployment")
    for _ in range(6):
        world.store.patch(ref, image(world), STRANGER)
        await world.advance(5.0)
    assert "again and again" in world.status["summary"]
    steps.apply("better", steps.live("better")).do(world)
    await world.run(steps.live("better"), 1800.0, "promoted")
