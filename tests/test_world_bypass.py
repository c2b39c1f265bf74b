"""The emergency exit in the world: aloud, on record, over by itself, and nothing beyond it."""

from __future__ import annotations

from typing import Any

import pytest

from merit.policy.times import stamp
from tests.world import scenarios
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
    world = await World(scenarios.FIRST).play()
    manifest = good_manifest(version)
    manifest["spec"]["bypass"] = bypass(world, *stages, ahead=ahead)
    world.store.apply(manifest, scenarios.USER)
    return world


def serves(version: str) -> Any:
    return lambda w: w.weights == {version: 100} and w.version("stable") == version


async def test_a_skipped_evaluation_is_told_everywhere_and_proves_nothing() -> None:
    world = await declared("inaccurate", "Evaluation")
    await world.run(scenarios.exposed("inaccurate"), 300.0, "in its canary")
    assert len(world.monitor.jobs) == 1  # of the first version
    evaluated = condition(world, "Evaluated")
    assert (evaluated["status"], evaluated["reason"]) == ("Unknown", "Bypassed")
    bypassed = condition(world, "Bypassed")
    assert bypassed["status"] == "True" and "INC-4711" in bypassed["message"]
    assert world.status["phase"].endswith("(bypassed)")
    assert world.notes.count("Bypassed") == 2  # it is there; it was used
    assert records(world, "inaccurate") == {"Evaluation": "Bypassed", "Feasibility": "Good"}
    assert condition(world, "Feasible")["status"] == "True"
    assert not world.monitor.violations


async def test_a_skipped_rollout_goes_to_all_traffic_at_once_and_is_watched_after() -> None:
    world = await declared("better", "Rollout")
    await world.run(serves("better"), 120.0, "all of it")
    assert records(world, "better")["Rollout"] == "Bypassed"
    assert records(world, "better")["Evaluation"] == "Good"
    await world.run(lambda w: condition(w, "Trusted")["status"] == "True", 600.0, "watched")
    assert not world.monitor.violations


async def test_a_bypass_in_the_middle_of_a_canary_ends_it() -> None:
    script = (*scenarios.FIRST, scenarios.apply("better", scenarios.exposed("better")))
    world = await World(script).play()
    scenarios.change("bypass", bypass(world, "Rollout"), serves("better")).do(world)
    await world.run(serves("better"), 60.0, "at once")
    assert not world.monitor.violations


async def test_a_bypass_saves_no_version_that_turns_out_bad_in_traffic() -> None:
    world = await declared("failing", "Evaluation", "Feasibility")
    await world.run(lambda w: "rollback" in w.mdep["spec"], 900.0, "rolled back")
    assert world.status["rejected"][0]["stage"] == "Rollout"
    before = world.server.writes
    scenarios.change("bypass", bypass(world, "Rollout"), lambda w: True).do(world)
    await world.rest(300.0)
    assert world.weights == {"good": 100}
    assert world.server.writes - before < 10


async def test_it_is_over_by_itself_and_says_so() -> None:
    world = await declared("better", "Evaluation", ahead=900.0)
    await world.run(lambda w: condition(w, "Bypassed").get("status") == "True", 30.0, "in force")
    end = world.now + 900.0
    await world.run(lambda w: condition(w, "Bypassed").get("status") == "False", 1000.0, "over")
    assert abs(world.now - end) < 20.0
    assert condition(world, "Bypassed")["reason"] == "BypassOver"
    assert "bypassed" not in world.status["phase"]
    assert world.notes.count("BypassOver") == 1
    jobs = len(world.monitor.jobs)
    scenarios.change("model.version", "best", lambda w: True).do(world)
    await world.run(lambda w: len(w.monitor.jobs) > jobs, 60.0, "the next is evaluated")


async def test_more_than_a_day_ahead_skips_nothing_not_even_later() -> None:
    world = await declared("inaccurate", "Evaluation", ahead=25 * 3600.0)
    await world.run(scenarios.rejected, 300.0, "evaluated, and refused")
    assert condition(world, "Bypassed")["reason"] == "BypassRefused"
    await world.rest(3 * 3600.0)  # by now it is less than a day
    assert world.status["phase"] == "Rejected"
    assert world.weights == {"good": 100}


async def test_one_that_is_over_before_it_is_seen_skips_nothing() -> None:
    world = await declared("inaccurate", "Evaluation", ahead=-60.0)
    await world.run(scenarios.rejected, 300.0, "evaluated, and refused")
    assert condition(world, "Bypassed")["reason"] == "BypassOver"


async def test_what_a_gate_refused_goes_on_when_the_gate_is_bypassed() -> None:
    world = await World(scenarios.REFUSED).play()
    scenarios.change("bypass", bypass(world, "Evaluation"), lambda w: True).do(world)
    await world.run(scenarios.exposed("inaccurate"), 300.0, "in its canary")
    assert not world.status.get("rejected")
    assert not world.monitor.violations


async def test_another_gate_than_the_bypassed_one_still_refuses() -> None:
    world = await World(scenarios.REFUSED).play()
    scenarios.change("bypass", bypass(world, "Feasibility"), lambda w: True).do(world)
    await world.rest(300.0)
    assert world.status["rejected"][0]["version"] == "inaccurate"
    assert world.weights == {"good": 100}


async def test_what_was_skipped_is_not_passed_when_the_object_is_made_again() -> None:
    world = await declared("inaccurate", "Evaluation", "Rollout")
    await world.run(serves("inaccurate"), 300.0, "serves unproven")
    scenarios.delete().do(world)
    await world.rest(30.0)
    scenarios.apply("inaccurate", scenarios.rejected).do(world)
    await world.run(scenarios.rejected, 300.0, "evaluated now")


async def test_taken_out_it_is_over_at_once() -> None:
    world = await declared("better", "Evaluation")
    await world.run(lambda w: condition(w, "Bypassed").get("status") == "True", 30.0, "in force")
    manifest = good_manifest("better")
    world.store.apply(manifest, scenarios.USER)
    await world.run(lambda w: not condition(w, "Bypassed"), 30.0, "gone")
    assert world.notes.count("BypassOver") == 1


@pytest.mark.parametrize("what", ["none", "of another stage", "over"])
async def test_the_monitor_tells_of_a_stage_that_is_skipped_without_a_bypass(what: str) -> None:
    world = await World(scenarios.FIRST).play()
    told = {
        "none": None,
        "of another stage": bypass(world, "Rollout"),
        "over": bypass(world, "Evaluation", ahead=-1.0),
    }[what]
    ref = ("ModelDeployment", *world.key)
    world.store.patch(ref, {"spec": {"bypass": told}}, scenarios.USER)
    meta: dict[str, Any] = {"name": "forged", "namespace": world.key.namespace}
    meta["labels"] = {"merit.dev/name": world.key.name}
    meta["ownerReferences"] = [{"uid": world.mdep["metadata"]["uid"]}]
    data = {"stage": "Evaluation", "revision": "h1:0", "verdict": "Bypassed"}
    record = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}
    world.store.create(record, MANAGER)
    assert any("S1: Evaluation is skipped" in said for said in world.monitor.violations)
