"""A rollback with obstacles: the route cannot be written, the pin is removed or owned by Git."""

from __future__ import annotations

from typing import Any

from merit.api.hashing import identify
from tests.scenarios.scripts import live_monitoring, rollouts, steps
from tests.scenarios.scripts.steps import annotate, apply_object, exposed, live
from tests.world.manifests import autoscaled, manifest
from tests.world.server import Faults
from tests.world.world import Step, World

CANARY = (*rollouts.FIRST, steps.apply("failing", exposed("failing")))
REF = ("ModelDeployment", "risk", "fraud-scorer")


def condition(world: World, kind: str) -> dict[str, Any]:
    found = [c for c in world.status.get("conditions", []) if c["type"] == kind]
    return found[0] if found else {}


def leads_to(world: World, short: str) -> str:
    """The revision whose pods answer for a backend of the route."""
    service = world.store.objects["Service", "risk", f"fraud-scorer-{short}"]
    return str(service["spec"]["selector"]["merit.dev/revision"])


async def test_without_the_right_to_write_the_route_the_backend_is_diverted_to_stable() -> None:
    world = await World(CANARY).play()
    bad, good = world.status["candidate"]["short"], world.status["stable"]["short"]
    world.server.faults = Faults(deny=frozenset({"HTTPRoute"}))
    await world.run(lambda w: leads_to(w, bad) == good, 300.0, "the second path")
    await world.advance(120.0)
    assert world.weights["failing"] > 0  # the route still says so ...
    assert world.status["phase"] == "RollingBack" and not condition(world, "RolledBack")
    assert condition(world, "Reconciling")["reason"] == "RollbackBlocked"
    assert f"its backend leads to {good}" in condition(world, "Reconciling")["message"]
    assert world.notes.count("RollbackBlocked") == 1
    world.server.faults = Faults()
    await world.run(steps.rolled_back, 60.0, "the right is back")
    await world.advance(120.0)
    assert not world.invariants.violations
    assert ("Service", "risk", f"fraud-scorer-{bad}") not in world.store.objects


async def test_a_canary_whose_weight_cannot_be_raised_is_held_and_reported() -> None:
    script = (*rollouts.FIRST, steps.apply("better", exposed("better")))
    world = await World(script).play()
    world.server.faults = Faults(deny=frozenset({"HTTPRoute"}))
    await world.advance(200.0)
    assert world.weights["better"] == 10
    assert condition(world, "TrafficShifted")["status"] == "False"
    world.server.faults = Faults()
    await world.run(live("better"), 900.0, "the right is back")


async def test_a_pin_without_a_field_manager_gets_one_without_a_new_generation() -> None:
    world = await World(rollouts.ROLLED_BACK).play()
    before = world.mdep["metadata"]["generation"]
    world.store.disown(REF, ("spec", "rollback"))
    await world.advance(30.0)
    assert ("spec", "rollback") in world.store.owned[REF]["merit", "Apply"]
    assert world.mdep["metadata"]["generation"] == before
    assert not condition(world, "OwnershipConflict")


def foreign(world: World, **change: str) -> None:
    """Somebody's Git has a copy of the pin, perhaps of another content."""
    obj = manifest(world.mdep["spec"]["model"]["version"])
    obj["spec"]["rollback"] = world.mdep["spec"]["rollback"] | change
    world.store.apply(obj, steps.USER)


async def test_the_same_pin_in_git_starts_nothing() -> None:
    world = await World(rollouts.ROLLED_BACK).play()
    foreign(world)
    writes = world.server.writes
    await world.advance(120.0)
    assert world.server.writes == writes and not condition(world, "OwnershipConflict")


async def test_another_pin_in_git_is_not_overwritten_and_decides_nothing() -> None:
    world = await World(rollouts.ROLLED_BACK).play()
    foreign(world, reason="Mine")
    await world.advance(60.0)
    generation = world.mdep["metadata"]["generation"]
    await world.advance(600.0)
    assert world.mdep["metadata"]["generation"] == generation
    assert world.mdep["spec"]["rollback"]["reason"] == "Mine"
    assert condition(world, "OwnershipConflict")["status"] == "True"
    assert world.notes.count("OwnershipConflict") == 1
    assert world.weights == {"good": 100}
    # Out of Git it is pruned with the next apply, and rebuilt from the ledger.
    steps.apply("failing", steps.rolled_back).do(world)

    def ours(world: World) -> bool:
        return steps.rolled_back(world) and world.mdep["spec"]["rollback"]["reason"] != "Mine"

    await world.run(ours, 60.0, "the operator's own pin")
    assert not condition(world, "OwnershipConflict")


async def test_a_pin_in_git_for_the_candidate_rejects_nothing() -> None:
    script = (*rollouts.FIRST, steps.apply("better", exposed("better")))
    world = await World(script).play()
    candidate = world.status["candidate"]["revision"]
    obj = manifest("better")
    obj["spec"]["rollback"] = {
        "fromRevision": candidate,
        "fromStage": "Rollout",
        "fromPolicy": identify(obj["spec"]).online,
        "toRevision": world.status["stable"]["revision"],
        "reason": "Mine",
        "message": "copied",
        "at": "2026-11-23T01:02:03Z",
    }
    world.store.apply(obj, steps.USER)
    await world.run(lambda w: w.version("stable") == "better", 900.0, "the ledger decides")
    assert not world.status.get("rejected")
    assert condition(world, "OwnershipConflict")["status"] == "True"


async def test_a_pin_that_is_removed_repeatedly_is_not_restored_for_a_while() -> None:
    world = await World(rollouts.ROLLED_BACK).play()
    for _ in range(5):
        world.store.patch(REF, {"spec": {"rollback": None}}, "kubectl-edit")
        await world.advance(20.0)
    assert "rollback" not in world.mdep["spec"]
    assert "taken away 3 times" in condition(world, "OwnershipConflict")["message"]
    assert world.weights == {"good": 100}
    await world.advance(900.0)
    assert "rollback" in world.mdep["spec"] and not condition(world, "OwnershipConflict")


async def test_a_pin_of_other_content_is_cleared_whoever_wrote_it() -> None:
    world = await World(rollouts.FIRST).play()
    pin = {
        "fromRevision": "h1:" + "0" * 64,
        "fromStage": "Rollout",
        "fromPolicy": "h1:" + "1" * 64,
        "toRevision": "h1:" + "2" * 64,
        "reason": "ErrorsBreached",
        "message": "long ago",
        "at": "2026-11-23T01:02:03Z",
    }
    world.store.patch(REF, {"spec": {"rollback": pin}}, "kubectl-edit")
    await world.run(lambda w: "rollback" not in w.mdep["spec"], 30.0, "cleared")
    assert world.weights == {"good": 100}


async def test_abort_while_the_route_cannot_be_written_diverts_the_backend_too() -> None:
    world = await World((*rollouts.FIRST, steps.apply("better", exposed("better")))).play()
    bad, good = world.status["candidate"]["short"], world.status["stable"]["short"]
    world.server.faults = Faults(deny=frozenset({"HTTPRoute"}))
    annotate(world, "abort", "now")
    await world.run(lambda w: leads_to(w, bad) == good, 10.0, "the second path")


async def test_a_refused_autoscaler_does_not_delay_a_rollback_to_ready_pods() -> None:
    def kept(version: str) -> Step:
        obj = autoscaled(version)
        obj["spec"]["rollbackPolicy"]["keepWarm"] = "30m"
        return apply_object(obj, live(version))

    world = await World((kept("good"), kept("better"))).play()
    await world.advance(60.0)
    world.server.faults = Faults(deny=frozenset({"HorizontalPodAutoscaler"}))
    annotate(world, "rollback", "INC-1")
    await world.run(lambda w: w.weights == {"good": 100}, 10.0, "it is rolled back")
    await world.advance(60.0)
    assert world.weights == {"good": 100}


async def test_a_rollback_by_hand_that_cannot_be_recorded_still_moves_traffic() -> None:
    world = await World(live_monitoring.WARM).play()
    world.server.faults = Faults(deny=frozenset({"ModelDeployment"}))
    annotate(world, "rollback", "INC-1")
    await world.run(lambda w: w.weights == {"good": 100}, 10.0, "traffic first")
    world.server.faults = Faults()
    await world.run(steps.taken_back("better", "good"), 60.0, "and then on record")


async def test_traffic_is_rolled_back_before_the_event_is_written() -> None:
    world = await World(rollouts.ON_ITS_WAY).play()
    before = len(world.server.log)
    annotate(world, "abort", "INC-2")
    await world.run(lambda w: "Aborted" in w.notes, 30.0, "an Event is written")
    kinds = [kind for _, (kind, _, _) in world.server.log[before:]]
    assert kinds.index("HTTPRoute") < kinds.index("Event")
    assert world.weights == {"good": 100}


async def test_bad_and_good_declared_in_turn_are_no_theft_of_the_pin() -> None:
    world = await World(rollouts.ROLLED_BACK).play()
    for _ in range(5):
        steps.apply("good", steps.live("good")).do(world)
        await world.run(lambda w: "rollback" not in w.mdep["spec"], 60.0, "the pin is cleared")
        await world.advance(30.0)
        steps.apply("failing", steps.rolled_back).do(world)
        await world.run(steps.rolled_back, 60.0, "the pin is back")
        await world.advance(30.0)
    assert not condition(world, "OwnershipConflict")


async def test_a_pin_that_a_user_removes_along_with_the_bad_version_is_no_theft() -> None:
    world = await World(rollouts.ROLLED_BACK).play()
    for _ in range(5):
        world.store.patch(REF, {"spec": {"rollback": None}}, steps.USER)
        steps.apply("good", steps.live("good")).do(world)
        await world.advance(30.0)
        steps.apply("failing", steps.rolled_back).do(world)
        await world.run(steps.rolled_back, 60.0, "the pin is back")
    assert not condition(world, "OwnershipConflict")
