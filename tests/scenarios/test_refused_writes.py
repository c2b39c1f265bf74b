"""What the API server refuses, and Jobs that never get a pod, are said, and go on once they can."""

from __future__ import annotations

import pytest

from tests.scenarios.scripts import rollouts
from tests.scenarios.scripts.steps import USER, apply, live
from tests.world.evaluations import Ending
from tests.world.manifests import manifest
from tests.world.server import Faults
from tests.world.world import World

WHILE = 120.0


@pytest.mark.parametrize("kind", ["Job", "ConfigMap", "ControllerRevision"])
async def test_a_write_that_is_refused_is_said_and_tried_until_it_succeeds(kind: str) -> None:
    world = await World(rollouts.FIRST).play()
    world.server.faults = Faults(deny=frozenset({kind}))
    apply("better", live("better")).do(world)
    await world.advance(WHILE)
    stalled = world.condition("Stalled")
    assert (stalled.get("status"), stalled.get("reason")) == ("True", "Denied")
    assert f"{kind} " in stalled["message"] and "is forbidden to user merit" in stalled["message"]
    assert world.status.get("stable", {})["short"] == world.short("good")
    world.server.faults = Faults()
    await world.run(live("better"), 3600.0, "it goes on")
    assert not world.condition("Stalled")


async def test_no_stage_ends_without_its_record() -> None:
    world = await World(rollouts.FIRST).play()
    world.server.faults = Faults(deny=frozenset({"ConfigMap"}))
    apply("better", live("better")).do(world)
    await world.advance(WHILE)
    assert world.status["candidate"]["stage"] == "Evaluation"


async def test_a_refused_ledger_does_not_hold_up_a_rollback() -> None:
    world = await World(rollouts.CANARY).play()
    world.server.faults = Faults(deny=frozenset({"ConfigMap"}))
    world.traffic.set_errors("better", 0.5)
    await world.run(lambda w: w.weights == {"good": 100}, 120.0, "taken back")
    await world.advance(60.0)
    assert world.status["phase"] == "RolledBack"
    assert world.condition("Stalled")["reason"] == "Denied"


async def test_a_spec_whose_record_etcd_would_refuse_is_refused_with_its_size() -> None:
    world = await World(rollouts.FIRST).play()
    obj = manifest("better")
    server = obj["spec"]["serving"]["template"]["spec"]["containers"][0]
    server["env"] = [{"name": f"V{n}", "value": "x" * 1000} for n in range(600)]
    world.store.apply(obj, USER)
    await world.advance(60.0)
    stalled = world.condition("Stalled")
    assert stalled["reason"] == "InvalidSpec"
    assert "KiB, more than 1024 KiB" in stalled["message"]


@pytest.mark.parametrize(
    ("stuck", "reason", "said", "kind"),
    [
        ("Suspended", "JobSuspended", "is suspended, by a queue or by hand", "Reconciling"),
        ("NoPod", "JobWithoutPod", "has no pod: see kubectl describe job", "Stalled"),
    ],
)
async def test_a_job_without_a_pod_is_not_said_to_run(
    stuck: str, reason: str, said: str, kind: str
) -> None:
    world = World(())
    world.actors.endings["good"] = (Ending(stuck=stuck),)
    apply("good", live("good")).do(world)
    await world.advance(WHILE)
    assert world.flow("Evaluation")["reason"] == reason
    assert world.condition(kind)["reason"] == reason
    assert said in world.condition(kind)["message"]
