"""The rollout of a version: what users do, and what must follow."""

from __future__ import annotations

import pytest

from tests.scenarios.scripts import rollouts, steps
from tests.world.world import Step, World


@pytest.mark.parametrize("name", rollouts.ALL)
async def test_a_scenario_ends_as_it_should_and_breaks_no_invariant(name: str) -> None:
    world = await World(rollouts.ALL[name]).play()
    await world.advance(300.0)
    assert not world.invariants.violations


@pytest.mark.parametrize("name", rollouts.ALL)
async def test_a_scenario_ends_well_though_watches_are_late(name: str) -> None:
    world = await World(rollouts.ALL[name], lag=0.7).play()
    await world.advance(300.0)
    assert not world.invariants.violations


async def test_the_first_version_serves_after_its_gates() -> None:
    world = await World(rollouts.FIRST).play()
    assert world.weights == {"good": 100}
    assert len(world.invariants.jobs) == 1


async def test_a_better_version_is_promoted_and_its_predecessor_is_removed_after_keep_warm() -> (
    None
):
    world = await World(rollouts.PROMOTED).play()
    await world.advance(200.0)
    assert world.weights == {"better": 100}
    assert len(list(world.store.all("Deployment"))) == 1


async def test_an_inaccurate_version_gets_no_traffic_and_no_second_job() -> None:
    world = await World(rollouts.REFUSED).play()
    assert "inaccurate" not in world.traffic.versions.values()
    assert len(world.invariants.jobs) == 2
    assert "rollback" not in world.mdep["spec"]


async def test_a_failing_version_is_rolled_back_and_the_same_manifest_starts_nothing() -> None:
    world = await World(rollouts.ROLLED_BACK).play()
    jobs, writes = len(world.invariants.jobs), world.server.writes
    await _apply_again(world, "failing")
    assert world.mdep["spec"]["model"]["version"] == "failing"
    assert world.mdep["spec"]["rollback"]["fromStage"] == "Rollout"
    assert world.weights == {"good": 100}
    assert (len(world.invariants.jobs), world.server.writes) == (jobs, writes)


async def test_a_fixed_version_rolls_out_by_itself_and_the_pin_is_removed() -> None:
    world = await World(rollouts.FIXED).play()
    assert world.weights == {"fixed": 100}
    assert "rollback" not in world.mdep["spec"]


async def test_going_back_in_mid_canary_runs_no_gate_again() -> None:
    world = await World(rollouts.BACK_AND_FORTH).play()
    assert world.weights == {"good": 100}
    assert len(world.invariants.jobs) == 2


async def test_newer_content_waits_for_a_rollback_and_then_rolls_out() -> None:
    world = await World(rollouts.OVERTAKEN).play()
    assert world.weights == {"better": 100}


async def test_after_deletion_only_the_ledger_is_left() -> None:
    world = await World(rollouts.DELETED).play()
    await world.advance(60.0)
    left = [name for kind, _, name in world.store.objects if kind != "Event"]
    assert left == ["fraud-scorer-ledger"]


async def test_a_lost_pin_is_restored_from_the_ledger() -> None:
    world = await World(rollouts.ROLLED_BACK).play()
    pin = world.mdep["spec"]["rollback"]
    ref = ("ModelDeployment", *world.key)
    world.store.patch(ref, {"spec": {"rollback": None}}, "kubectl-edit")
    await world.run(lambda w: "rollback" in w.mdep["spec"], 10.0, "the pin is back")
    assert world.mdep["spec"]["rollback"] == pin
    assert world.weights == {"good": 100}


async def test_a_lost_status_after_a_rollback_starts_no_canary_of_the_rejected_version() -> None:
    world = await World(rollouts.ROLLED_BACK).play()
    ref = ("ModelDeployment", *world.key)
    world.store.patch(ref, {"status": dict.fromkeys(world.status)}, "restore", "status")
    await world.advance(300.0)
    assert world.weights == {"good": 100}
    assert not world.invariants.violations
    assert any(entry["reason"] for entry in world.status["rejected"])


async def test_a_status_lost_with_its_ledger_keeps_the_serving_version() -> None:
    world = await World((steps.apply("good", lambda w: w.weights == {"good": 100}),)).play()
    del world.store.objects["ConfigMap", "risk", "fraud-scorer-ledger"]
    ref = ("ModelDeployment", *world.key)
    world.store.patch(ref, {"status": dict.fromkeys(world.status)}, "restore", "status")
    world.script = (*world.script, steps.apply("better", steps.exposed("better")))
    await world.play()
    assert world.weights["good"] > 0
    assert "Restored" in world.notes


async def test_a_lost_record_of_the_declared_spec_is_written_again() -> None:
    world = await World(rollouts.FIRST).play()
    restarted = _without_records(world)
    await restarted.advance(30.0)
    assert len(list(restarted.store.all("ControllerRevision"))) == 1
    assert restarted.status["phase"] == "Live"


async def test_a_lost_record_of_stable_freezes_a_canary_and_is_reported() -> None:
    script = (*rollouts.FIRST, steps.apply("better", steps.exposed("better")))
    world = await World(script).play()
    stable = world.status["stable"]
    restarted = _without_records(world, f"{stable['short']}-{stable['policy']}")
    before = restarted.weights
    await restarted.advance(400.0)
    assert restarted.weights == before
    (stalled,) = (c for c in restarted.status["conditions"] if c["type"] == "Stalled")
    assert stalled["reason"] == "RecordLost"
    assert stable["short"] in stalled["message"]


async def test_a_lost_record_of_stable_does_not_delay_a_rollback() -> None:
    script = (*rollouts.FIRST, steps.apply("failing", steps.exposed("failing")))
    world = await World(script).play()
    stable = world.status["stable"]
    restarted = _without_records(world, f"{stable['short']}-{stable['policy']}")
    await restarted.run(steps.rolled_back, 300.0, "rolled back all the same")
    assert restarted.weights == {"good": 100}


async def test_an_invalid_edit_in_mid_canary_does_not_stop_the_judgement() -> None:
    script = (*rollouts.FIRST, steps.apply("failing", steps.exposed("failing")))
    world = await World(script).play()
    ref = ("ModelDeployment", *world.key)
    world.store.patch(ref, {"spec": {"goal": {"objective": ""}}}, "kubectl-edit")
    await world.run(lambda w: w.weights == {"good": 100}, 300.0, "the last accepted spec judges")
    assert not world.invariants.violations


def _without_records(world: World, ending: str = "") -> World:
    """Somebody deletes ControllerRevisions, and the operator restarts without them."""
    for record in list(world.store.all("ControllerRevision")):
        if record["metadata"]["name"].endswith(ending):
            name = record["metadata"]["name"]
            world.store.delete(("ControllerRevision", world.key.namespace, name), "somebody")
    return world.fork()


@pytest.mark.parametrize("version", ["better", "failing"])
async def test_a_status_lost_in_mid_canary_never_makes_it_a_first_deployment(version: str) -> None:
    script = (*rollouts.FIRST, steps.apply(version, steps.exposed(version)))
    world = await World(script).play()
    for operator in (world, world.fork()):  # the one that knows it, and one that starts anew
        ref = ("ModelDeployment", *operator.key)
        operator.store.patch(ref, {"status": dict.fromkeys(operator.status)}, "restore", "status")
        await operator.run(lambda w: w.weights == {"good": 100}, 60.0, "back to the stable one")
        ends = steps.live("better") if version == "better" else steps.rolled_back
        await operator.run(ends, 900.0, "and through the canary again")
        assert not operator.invariants.violations


async def test_without_metrics_a_canary_is_held_not_promoted() -> None:
    script = (*rollouts.FIRST, steps.apply("better", steps.exposed("better")))
    world = await World(script).play()
    world.traffic.reachable = False
    before = world.weights
    await world.advance(600.0)
    assert world.weights == before
    world.traffic.reachable = True
    await world.run(steps.live("better"), 900.0, "metrics are back")


async def test_without_metrics_for_longer_than_max_duration_it_is_withdrawn_and_comes_back() -> (
    None
):
    script = (*rollouts.FIRST, steps.apply("better", steps.exposed("better")))
    world = await World(script).play()
    world.traffic.reachable = False
    await world.advance(1900.0)
    assert steps.withdrawn(world) and not world.status.get("rejected")
    world.traffic.reachable = True
    await world.run(steps.live("better"), 900.0, "metrics are back")


async def test_an_object_that_is_created_again_remembers_promotions_and_rejections() -> None:
    declared_again = (
        steps.apply("failing", lambda w: bool(w.status.get("rejected")), hold=60.0),
        steps.apply("good", steps.live("good")),
    )
    world = await World((*rollouts.ROLLED_BACK, steps.delete())).play()
    jobs = len(world.invariants.jobs)
    world.script = (*world.script, *declared_again)
    await world.play()
    assert len(world.invariants.jobs) == jobs


async def _apply_again(world: World, version: str) -> None:
    step: Step = steps.apply(version, lambda w: True)
    step.do(world)
    await world.advance(120.0)
