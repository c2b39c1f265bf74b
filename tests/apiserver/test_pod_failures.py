"""Pods that fail are blamed on the model, beyond one in eight; pods that are refused are not."""

from __future__ import annotations

import json
import urllib.error
from typing import Any

import pytest

from tests.apiserver.stage import Stage, canary, live, scaled, unblamed, weighs
from tests.world.load_tests import unhealthy_status
from tests.world.pods import CRASH_LOOP, OOM_KILLED_ONCE

pytestmark = pytest.mark.apiserver


def ledger(stage: Stage) -> list[dict[str, Any]]:
    """What the ConfigMap that outlives the object holds against versions."""
    stage.store.refresh()
    found = stage.store.objects["ConfigMap", stage.key.namespace, "fraud-scorer-ledger"]
    entries: list[dict[str, Any]] = json.loads(found["data"]["rejected"])
    return entries


async def test_one_pod_in_eight_out_of_memory_rejects_nothing_three_that_loop_do(
    stage: Stage,
) -> None:
    stage.declare("good", **scaled(8))
    await stage.run(live("good"), "the first version serves")
    stage.declare("better", **scaled(8))
    await stage.run(weighs(10), "a first step")
    stage.actors.pod_status["better"] = (1, OOM_KILLED_ONCE)
    await stage.run(weighs(50), "it goes on")
    assert unblamed(stage)
    stage.actors.pod_status["better"] = (3, CRASH_LOOP)
    await stage.at_once(lambda s: s.weights == {"good": 100}, "weight 0")
    await stage.at_once(lambda s: s.pin is not None, "the pin")
    assert stage.pin is not None and stage.pin["reason"] == "CrashLoop"
    assert "3 of 8 pods" in stage.pin["message"]


async def test_all_pods_in_a_loop_are_rejected_at_once_whoever_of_two_operators_finishes_it(
    stage: Stage,
) -> None:
    await canary(stage, 50)
    stage.actors.pod_status["better"] = (8, CRASH_LOOP)
    await stage.at_once(lambda s: bool(s.status.get("rejected")), "on the ledger")
    assert stage.weights != {"good": 100} and stage.pin is None
    stage.restart_operator()  # the one that wrote it is gone
    await stage.at_once(lambda s: s.weights == {"good": 100}, "weight 0")
    stage.restart_operator()
    await stage.at_once(lambda s: s.pin is not None, "the pin")
    stage.restart_operator()
    await stage.advance(60.0)
    (entry,) = stage.status["rejected"]
    pin = stage.pin
    assert pin is not None and entry["reason"] == pin["reason"] == "PodsDown"
    assert pin["fromRevision"] == entry["revision"] and stage.pin_managers() == ["merit"]
    assert [e["revision"] for e in ledger(stage)] == [entry["revision"]]
    assert stage.status["phase"] == "RolledBack"


async def test_pods_that_loop_before_any_traffic_are_rejected_and_never_get_any(
    stage: Stage,
) -> None:
    stage.declare("good")
    await stage.run(live("good"), "the first version serves")
    stage.actors.pod_status["better"] = (8, CRASH_LOOP)
    stage.declare("better")
    await stage.run(lambda s: bool(s.status.get("rejected")), "rejected", limit=60.0)
    assert stage.status["rejected"][0]["reason"] == "NeverReady"
    assert all("better" not in split for _, split in stage.traffic.history)


def quota(stage: Stage, pods: int) -> None:
    """The namespace takes so many pods; the API server counts them itself."""
    stage.store.refresh()
    there = sum(ref[0] == "Pod" for ref in stage.store.objects)
    path = f"/api/v1/namespaces/{stage.key.namespace}/resourcequotas"
    meta = {"name": "team"}
    hard = {"pods": str(pods)}
    obj = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": hard}}
    try:
        stage.api.call("POST", path, obj)
    except urllib.error.HTTPError as error:
        assert error.code == 409
    status = {"hard": hard, "used": {"pods": str(there)}}
    patch = "application/merge-patch+json"
    stage.api.call("PATCH", f"{path}/team", {"spec": {"hard": hard}}, patch)
    stage.api.call("PATCH", f"{path}/team/status", {"status": status}, patch)


async def test_a_quota_that_refuses_pods_is_said_rejects_nobody_and_is_over_when_it_is_raised(
    stage: Stage,
) -> None:
    stage.declare("good")
    await stage.run(live("good"), "the first version serves")
    quota(stage, 4)  # its own two, the evaluation's, and one
    stage.declare("better")
    await stage.run(lambda s: "exceeded quota: team" in s.describe(), "it is said", limit=60.0)
    stage.actors.deadline_exceeded = True
    await stage.advance(60.0)
    assert stage.condition("Stalled")["reason"] == "QuotaExceeded"
    assert stage.weights == {"good": 100} and unblamed(stage)
    quota(stage, 8)
    await stage.run(live("better"), "promoted")
    assert unblamed(stage)


async def test_a_lost_node_and_an_image_that_the_next_one_cannot_pull_withdraw_and_say_so(
    stage: Stage,
) -> None:
    nodes = await canary(stage, 10)
    nodes.lose("c")
    await stage.at_once(lambda s: s.weights == {"good": 100}, "weight 0")
    unpullable = unhealthy_status("unpullable", loaded=False)
    assert unpullable is not None
    stage.actors.pod_status["better"] = (8, unpullable)
    stage.actors.deadline_exceeded = True
    await stage.run(lambda s: "image cannot be pulled" in s.describe(), "it is said", limit=400.0)
    assert "c" not in nodes.where("better")
    await stage.advance(30.0)
    assert stage.status["phase"] == "Withdrawn" and unblamed(stage)
    stage.actors.pod_status.clear()
    await stage.run(weighs(10), "at its first step again")


async def test_without_a_node_it_waits_for_one_and_is_not_rejected(stage: Stage) -> None:
    nodes = await canary(stage, 10)
    for name in "ab":
        nodes.cordon(name)
    nodes.lose("c")
    stage.actors.deadline_exceeded = True
    await stage.run(lambda s: "no node: 0/3 nodes" in s.describe(), "it is said", limit=400.0)
    assert stage.status["phase"] == "Withdrawn" and unblamed(stage)
    nodes.remove("c")  # what hung there goes
    nodes.restore("a")
    await stage.run(weighs(10), "at its first step again")
    assert nodes.where("better") == "aa"
