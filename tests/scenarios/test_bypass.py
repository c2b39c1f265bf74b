"""The bypass of a stage: it is reported and recorded, it expires, and it skips nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from merit.policy.state.times import stamp
from tests.scenarios.scripts import rollouts, steps
from tests.world.manifests import manifest as good_manifest
from tests.world.server import MANAGER
from tests.world.world import World


def bypass(world: World, *stages: str, ahead: float = 3600.0) -> dict[str, Any]:
    return {"stages": list(stages), "reason": "INC-4711", "expires": stamp(world.now + ahead)}


def condition(world: World, kind: str) -> dict[str, Any]:
    return next((c for c in world.status.get("conditions", []) if c["type"] == kind), {})


def flow(world: World, stage: str) -> dict[str, Any]:
    return next((s for s in world.status.get("flow", []) if s["stage"] == stage), {})


def records(world: World, version: str) -> dict[str, str]:
    found = {}
    for (kind, _, _), obj in world.store.objects.items():
        data = obj.get("data", {})
        if kind == "ConfigMap" and data.get("version") == version:
            found[data["stage"]] = data["verdict"]
    return found


async def declared(version: str, *stages: str, ahead: float = 3600.0) -> World:
    """That version, with a bypass, after a first one serves."""
    world = await World(rollouts.FIRST).play()
    manifest = good_manifest(version)
    manifest["spec"]["bypass"] = bypass(world, *stages, ahead=ahead)
    world.store.apply(manifest, steps.USER)
    return world


def serves(version: str) -> Any:
    return lambda w: w.weights == {version: 100} and w.version("stable") == version


async def test_a_skipped_evaluation_is_reported_everywhere_and_proves_nothing() -> None:
    world = await declared("inaccurate", "Evaluation")
    await world.run(steps.exposed("inaccurate"), 300.0, "in its canary")
    assert len(world.invariants.jobs) == 1  # of the first version
    evaluated = condition(world, "Evaluated")
    assert (evaluated["status"], evaluated["reason"]) == ("Unknown", "Bypassed")
    bypassed = condition(world, "Bypassed")
    assert bypassed["status"] == "True" and "INC-4711" in bypassed["message"]
    assert world.status["phase"].endswith("(bypassed)")
    assert world.notes.count("Bypassed") == 2  # it is there; it was used
    assert records(world, "inaccurate") == {"Evaluation": "Bypassed", "Feasibility": "Good"}
    assert condition(world, "Feasible")["status"] == "True"
    assert not world.invariants.violations


async def test_a_skipped_rollout_gives_it_all_traffic_at_once_and_monitors_it_afterwards() -> None:
    world = await declared("better", "Rollout")
    await world.run(serves("better"), 120.0, "all of it")
    assert records(world, "better")["Rollout"] == "Bypassed"
    assert records(world, "better")["Evaluation"] == "Good"
    await world.run(lambda w: condition(w, "Trusted")["status"] == "True", 600.0, "watched")
    assert not world.invariants.violations


async def test_a_bypass_in_the_middle_of_a_canary_ends_it() -> None:
    script = (*rollouts.FIRST, steps.apply("better", steps.exposed("better")))
    world = await World(script).play()
    steps.change("bypass", bypass(world, "Rollout"), serves("better")).do(world)
    await world.run(serves("better"), 60.0, "at once")
    assert not world.invariants.violations


async def test_a_bypass_protects_no_version_that_turns_out_bad_in_traffic() -> None:
    world = await declared("failing", "Evaluation", "Feasibility")
    await world.run(lambda w: "rollback" in w.mdep["spec"], 900.0, "rolled back")
    assert world.status["rejected"][0]["stage"] == "Rollout"
    before = world.server.writes
    steps.change("bypass", bypass(world, "Rollout"), lambda w: True).do(world)
    await world.advance(300.0)
    assert world.weights == {"good": 100}
    assert world.server.writes - before < 10


async def test_a_bypass_expires_by_itself_and_status_says_so() -> None:
    world = await declared("better", "Evaluation", ahead=900.0)
    await world.run(lambda w: condition(w, "Bypassed").get("status") == "True", 30.0, "in force")
    end = world.now + 900.0
    await world.run(lambda w: condition(w, "Bypassed").get("status") == "False", 1000.0, "over")
    assert abs(world.now - end) < 20.0
    assert condition(world, "Bypassed")["reason"] == "BypassOver"
    assert "bypassed" not in world.status["phase"]
    assert world.notes.count("BypassOver") == 1
    jobs = len(world.invariants.jobs)
    steps.change("model.version", "best", lambda w: True).do(world)
    await world.run(lambda w: len(w.invariants.jobs) > jobs, 60.0, "the next is evaluated")


async def test_a_bypass_for_more_than_a_day_skips_nothing_not_even_later() -> None:
    world = await declared("inaccurate", "Evaluation", ahead=25 * 3600.0)
    await world.run(steps.rejected, 300.0, "evaluated, and refused")
    assert condition(world, "Bypassed")["reason"] == "BypassRefused"
    await world.advance(3 * 3600.0)  # by now it is less than a day
    assert world.status["phase"] == "Rejected"
    assert world.weights == {"good": 100}


async def test_a_bypass_that_has_expired_before_it_is_seen_skips_nothing() -> None:
    world = await declared("inaccurate", "Evaluation", ahead=-60.0)
    await world.run(steps.rejected, 300.0, "evaluated, and refused")
    assert condition(world, "Bypassed")["reason"] == "BypassOver"


async def test_a_version_that_a_gate_rejected_continues_when_the_gate_is_bypassed() -> None:
    world = await World(rollouts.REFUSED).play()
    steps.change("bypass", bypass(world, "Evaluation"), lambda w: True).do(world)
    await world.run(steps.exposed("inaccurate"), 300.0, "in its canary")
    assert not world.status.get("rejected")
    assert not world.invariants.violations


async def test_a_gate_that_is_not_bypassed_still_rejects() -> None:
    world = await World(rollouts.REFUSED).play()
    steps.change("bypass", bypass(world, "Feasibility"), lambda w: True).do(world)
    await world.advance(300.0)
    assert world.status["rejected"][0]["version"] == "inaccurate"
    assert world.weights == {"good": 100}


async def test_a_skipped_gate_does_not_count_as_passed_when_the_object_is_created_again() -> None:
    world = await declared("inaccurate", "Evaluation", "Rollout")
    await world.run(serves("inaccurate"), 300.0, "serves unproven")
    steps.delete().do(world)
    await world.advance(30.0)
    steps.apply("inaccurate", steps.rejected).do(world)
    await world.run(steps.rejected, 300.0, "evaluated now")


async def test_a_bypass_that_is_removed_ends_at_once() -> None:
    world = await declared("better", "Evaluation")
    await world.run(lambda w: condition(w, "Bypassed").get("status") == "True", 30.0, "in force")
    manifest = good_manifest("better")
    world.store.apply(manifest, steps.USER)
    await world.run(lambda w: not condition(w, "Bypassed"), 30.0, "gone")
    assert world.notes.count("BypassOver") == 1


@pytest.mark.parametrize("what", ["none", "of another stage", "over"])
async def test_a_stage_that_is_skipped_without_a_bypass_breaks_an_invariant(what: str) -> None:
    world = await World(rollouts.FIRST).play()
    declared_bypass = {
        "none": None,
        "of another stage": bypass(world, "Rollout"),
        "over": bypass(world, "Evaluation", ahead=-1.0),
    }[what]
    ref = ("ModelDeployment", *world.key)
    world.store.patch(ref, {"spec": {"bypass": declared_bypass}}, steps.USER)
    meta: dict[str, Any] = {"name": "forged", "namespace": world.key.namespace}
    meta["labels"] = {"merit.dev/name": world.key.name}
    meta["ownerReferences"] = [{"uid": world.mdep["metadata"]["uid"]}]
    data = {"stage": "Evaluation", "revision": "h1:0", "verdict": "Bypassed"}
    record = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}
    world.store.create(record, MANAGER)
    assert any(
        "S1: Evaluation is skipped" in violation for violation in world.invariants.violations
    )
