"""The whole operator in a world of its own: what users do, and what must come of it."""

from __future__ import annotations

import pytest

from tests.world import scenarios
from tests.world.world import Step, World


@pytest.mark.parametrize("name", scenarios.ALL)
async def test_a_scenario_ends_as_it_should_and_breaks_no_invariant(name: str) -> None:
    world = await World(scenarios.ALL[name]).play()
    await world.rest(300.0)
    assert not world.monitor.violations


@pytest.mark.parametrize("name", scenarios.ALL)
async def test_a_scenario_ends_well_though_watches_are_late(name: str) -> None:
    world = await World(scenarios.ALL[name], lag=0.7).play()
    await world.rest(300.0)
    assert not world.monitor.violations


async def test_the_first_version_serves_after_its_gates() -> None:
    world = await World(scenarios.FIRST).play()
    assert world.weights == {"good": 100}
    assert len(world.monitor.jobs) == 1


async def test_a_better_version_is_promoted_and_its_predecessor_goes_when_it_has_cooled() -> None:
    world = await World(scenarios.PROMOTED).play()
    await world.rest(200.0)
    assert world.weights == {"better": 100}
    assert len(list(world.store.all("Deployment"))) == 1


async def test_an_inaccurate_version_gets_no_traffic_and_no_second_job() -> None:
    world = await World(scenarios.REFUSED).play()
    assert "inaccurate" not in world.traffic.versions.values()
    assert len(world.monitor.jobs) == 2
    assert "rollback" not in world.mdep["spec"]


async def test_a_failing_version_is_rolled_back_and_the_same_manifest_starts_nothing() -> None:
    world = await World(scenarios.ROLLED_BACK).play()
    jobs, writes = len(world.monitor.jobs), world.server.writes
    await _again(world, "failing")
    assert world.mdep["spec"]["model"]["version"] == "failing"
    assert world.mdep["spec"]["rollback"]["fromStage"] == "Rollout"
    assert world.weights == {"good": 100}
    assert (len(world.monitor.jobs), world.server.writes) == (jobs, writes)


async def test_a_fixed_version_rolls_out_by_itself_and_the_pin_goes() -> None:
    world = await World(scenarios.FIXED).play()
    assert world.weights == {"fixed": 100}
    assert "rollback" not in world.mdep["spec"]


async def test_going_back_in_mid_canary_runs_no_gate_again() -> None:
    world = await World(scenarios.BACK_AND_FORTH).play()
    assert world.weights == {"good": 100}
    assert len(world.monitor.jobs) == 2


async def test_newer_content_waits_for_a_rollback_and_then_rolls_out() -> None:
    world = await World(scenarios.OVERTAKEN).play()
    assert world.weights == {"better": 100}


async def test_after_deletion_only_the_ledger_is_left() -> None:
    world = await World(scenarios.DELETED).play()
    await world.rest(60.0)
    left = [name for kind, _, name in world.store.objects if kind != "Event"]
    assert left == ["fraud-scorer-ledger"]


async def test_a_lost_pin_is_put_back_from_the_ledger() -> None:
    world = await World(scenarios.ROLLED_BACK).play()
    pin = world.mdep["spec"]["rollback"]
    ref = ("ModelDeployment", *world.key)
    world.store.patch(ref, {"spec": {"rollback": None}}, "kubectl-edit")
    await world.run(lambda w: "rollback" in w.mdep["spec"], 10.0, "the pin is back")
    assert world.mdep["spec"]["rollback"] == pin
    assert world.weights == {"good": 100}


async def test_a_lost_status_of_a_rolled_back_object_starts_no_canary_of_the_rejected() -> None:
    world = await World(scenarios.ROLLED_BACK).play()
    ref = ("ModelDeployment", *world.key)
    world.store.patch(ref, {"status": dict.fromkeys(world.status)}, "restore", "status")
    await world.rest(300.0)
    assert world.weights == {"good": 100}
    assert not world.monitor.violations
    assert any(entry["reason"] for entry in world.status["rejected"])


async def test_a_status_lost_before_there_is_a_ledger_keeps_what_serves() -> None:
    world = await World((scenarios.apply("good", lambda w: w.weights == {"good": 100}),)).play()
    assert ("ConfigMap", "risk", "fraud-scorer-ledger") not in world.store.objects
    ref = ("ModelDeployment", *world.key)
    world.store.patch(ref, {"status": dict.fromkeys(world.status)}, "restore", "status")
    world.script = (*world.script, scenarios.apply("better", scenarios.exposed("better")))
    await world.play()
    assert world.weights["good"] > 0
    assert "Restored" in world.notes


async def test_a_lost_record_of_what_is_declared_is_written_again() -> None:
    world = await World(scenarios.FIRST).play()
    again = _without_records(world)
    await again.rest(30.0)
    assert len(list(again.store.all("ControllerRevision"))) == 1
    assert again.status["phase"] == "Live"


async def test_a_lost_record_of_what_serves_freezes_a_canary_and_says_so() -> None:
    script = (*scenarios.FIRST, scenarios.apply("better", scenarios.exposed("better")))
    world = await World(script).play()
    stable = world.status["stable"]
    again = _without_records(world, f"{stable['short']}-{stable['policy']}")
    before = again.weights
    await again.rest(400.0)
    assert again.weights == before
    (stalled,) = (c for c in again.status["conditions"] if c["type"] == "Stalled")
    assert stalled["reason"] == "RecordLost"
    assert stable["short"] in stalled["message"]


async def test_a_lost_record_of_what_serves_does_not_hold_up_a_rollback() -> None:
    script = (*scenarios.FIRST, scenarios.apply("failing", scenarios.exposed("failing")))
    world = await World(script).play()
    stable = world.status["stable"]
    again = _without_records(world, f"{stable['short']}-{stable['policy']}")
    await again.run(scenarios.rolled_back, 300.0, "rolled back all the same")
    assert again.weights == {"good": 100}


async def test_an_invalid_edit_in_mid_canary_blinds_nothing() -> None:
    script = (*scenarios.FIRST, scenarios.apply("failing", scenarios.exposed("failing")))
    world = await World(script).play()
    ref = ("ModelDeployment", *world.key)
    world.store.patch(ref, {"spec": {"goal": {"objective": ""}}}, "kubectl-edit")
    await world.run(lambda w: w.weights == {"good": 100}, 300.0, "the last accepted spec judges")
    assert not world.monitor.violations


def _without_records(world: World, ending: str = "") -> World:
    """A stranger deletes ControllerRevisions, and the operator starts again without them."""
    for record in list(world.store.all("ControllerRevision")):
        if record["metadata"]["name"].endswith(ending):
            name = record["metadata"]["name"]
            world.store.delete(("ControllerRevision", world.key.namespace, name), "somebody")
    return world.fork()


@pytest.mark.parametrize("version", ["better", "failing"])
async def test_a_status_lost_in_mid_canary_never_makes_it_a_first_deployment(version: str) -> None:
    script = (*scenarios.FIRST, scenarios.apply(version, scenarios.exposed(version)))
    world = await World(script).play()
    for operator in (world, world.fork()):  # the one that knows it, and one that starts anew
        ref = ("ModelDeployment", *operator.key)
        operator.store.patch(ref, {"status": dict.fromkeys(operator.status)}, "restore", "status")
        await operator.run(lambda w: w.weights == {"good": 100}, 60.0, "back to the stable one")
        ends = scenarios.live("better") if version == "better" else scenarios.rolled_back
        await operator.run(ends, 900.0, "and through the canary again")
        assert not operator.monitor.violations


async def test_without_metrics_a_canary_is_held_not_promoted() -> None:
    script = (*scenarios.FIRST, scenarios.apply("better", scenarios.exposed("better")))
    world = await World(script).play()
    world.traffic.reachable = False
    before = world.weights
    await world.rest(600.0)
    assert world.weights == before
    world.traffic.reachable = True
    await world.run(scenarios.live("better"), 900.0, "metrics are back")


async def test_without_metrics_for_longer_than_max_duration_it_is_withdrawn_and_comes_back() -> (
    None
):
    script = (*scenarios.FIRST, scenarios.apply("better", scenarios.exposed("better")))
    world = await World(script).play()
    world.traffic.reachable = False
    await world.rest(1900.0)
    assert scenarios.withdrawn(world) and not world.status.get("rejected")
    world.traffic.reachable = True
    await world.run(scenarios.live("better"), 900.0, "metrics are back")


async def test_an_object_made_again_remembers_what_was_promoted_and_what_was_rejected() -> None:
    again = (
        scenarios.apply("failing", lambda w: bool(w.status.get("rejected")), hold=60.0),
        scenarios.apply("good", scenarios.live("good")),
    )
    world = await World((*scenarios.ROLLED_BACK, scenarios.delete())).play()
    jobs = len(world.monitor.jobs)
    world.script = (*world.script, *again)
    await world.play()
    assert len(world.monitor.jobs) == jobs


async def _again(world: World, version: str) -> None:
    step: Step = scenarios.apply(version, lambda w: True)
    step.do(world)
    await world.rest(120.0)
