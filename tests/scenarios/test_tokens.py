"""Tokens: each is handled once, whatever happens to the annotation."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.scenarios.scripts import rollouts, steps
from tests.scenarios.scripts.steps import annotate, change, exposed, handled, live, token, weighs
from tests.world.manifests import manifest
from tests.world.world import World

CANARY = (*rollouts.FIRST, steps.apply("better", exposed("better")))


def rejected(world: World) -> list[dict[str, str]]:
    return world.status.get("rejected", [])


def aborted(world: World) -> bool:
    return bool(rejected(world)) and world.weights == {"good": 100} and "rollback" in (
        world.mdep["spec"]
    )  # fmt: skip


async def test_abort_rolls_back_and_the_version_stays_rejected() -> None:
    world = await World((*CANARY, token("abort", "now", aborted, hold=120.0))).play()
    assert rejected(world)[0]["reason"] == "Aborted"
    assert world.status["phase"] == "RolledBack"
    assert world.status["lastHandled"] == {"abort": "now"}


async def test_abort_works_while_paused_and_with_an_invalid_spec() -> None:
    for path, value in (("paused", True), ("constraints.latency.p99", "soon")):
        world = await World((*CANARY, change(path, value, lambda w: True, hold=30.0))).play()
        assert world.weights["better"] > 0
        annotate(world, "abort", "now")
        await world.run(lambda w: w.weights == {"good": 100}, 5.0, "abort")
        assert rejected(world)[0]["reason"] == "Aborted"
        assert not world.invariants.violations


async def test_a_version_aborted_at_its_gate_is_rejected_there_and_has_no_pin() -> None:
    def evaluating(world: World) -> bool:
        return world.status.get("phase") == "Evaluating" and len(world.invariants.jobs) == 2

    script = (*rollouts.FIRST, steps.apply("better", evaluating))
    world = await World((*script, token("abort", "1", steps.rejected, hold=60.0))).play()
    assert rejected(world)[0]["stage"] == "Evaluation"
    assert "rollback" not in world.mdep["spec"]
    assert not list(world.store.all("Job"))


async def test_an_abort_without_a_candidate_does_not_wait_for_the_next_version() -> None:
    script = (*rollouts.FIRST, token("abort", "early", handled("abort"), hold=10.0))
    world = await World((*script, steps.apply("better", live("better")))).play()
    assert not rejected(world)
    assert "TokenIgnored" in world.notes


async def test_promote_ends_a_canary_at_once_and_only_for_the_version_that_it_names() -> None:
    wrong = token("promote", "0badc0de", handled("promote"), hold=10.0)
    right = token("promote", "CANDIDATE", live("better"), limit=10.0)
    world = await World((*CANARY, wrong, right)).play()
    assert world.notes.count("TokenIgnored") == 1


async def test_promote_starts_the_pods_for_all_traffic_and_waits_for_them() -> None:
    scale = {"rps": 50, "replicas": {"min": 1, "max": 8}}  # and 200 really come
    world = await World((*rollouts.FIRST, change("constraints.scale", scale, live("good")))).play()
    await world.advance(120.0)
    edited = manifest("better")
    edited["spec"]["constraints"]["scale"] = scale
    edited["spec"]["rollout"]["approvals"] = [50]
    world.store.apply(edited, steps.USER)
    await world.run(weighs("better", 10), 300.0, "its first step")
    name = f"fraud-scorer-{world.status['candidate']['short']}"
    ready = world.store.objects["Deployment", "risk", name]["status"]["readyReplicas"]
    annotate(world, "promote", "CANDIDATE")
    await world.run(lambda w: w.version("stable") == "better", 60.0, "promoted")
    assert ready < 4 <= world.store.objects["Deployment", "risk", name]["status"]["readyReplicas"]
    assert not world.invariants.violations


async def test_promote_waits_while_paused() -> None:
    held = change("paused", True, lambda w: True, hold=20.0)
    asked = token("promote", "CANDIDATE", lambda w: True, hold=60.0)
    world = await World((*CANARY, held, asked)).play()
    assert world.weights["better"] < 100 and "lastHandled" not in world.status
    world.script = (*world.script, change("paused", False, live("better")))
    await world.play()


async def test_a_version_rejected_at_its_gate_runs_again_in_a_job_of_its_own() -> None:
    def again(world: World) -> bool:
        return len(world.invariants.jobs) == 3 and steps.rejected(world)

    world = await World((*rollouts.REFUSED, token("retry", "DECLARED", again, hold=60.0))).play()
    assert len(set(world.invariants.jobs)) == 3
    more = token("retry", "DECLARED-2", lambda w: len(w.invariants.jobs) == 4, hold=60.0)
    world.script = (*world.script, more)
    await world.play()
    assert len(set(world.invariants.jobs)) == 4


async def test_a_rolled_back_version_is_retried_and_its_pin_is_removed() -> None:
    def trying(world: World) -> bool:
        return exposed("failing")(world) and "rollback" not in world.mdep["spec"]

    again = token("retry", "DECLARED", trying)
    script = (*rollouts.ROLLED_BACK, again, steps.wait(steps.rolled_back))
    world = await World(script).play()
    assert len(set(world.invariants.jobs)) == 3


async def test_a_value_works_once_though_the_annotation_is_removed_and_set_again() -> None:
    world = await World((*rollouts.REFUSED, token("retry", "DECLARED", _jobs(3), hold=60.0))).play()
    value = world.status["lastHandled"]["retry"]
    annotate(world, "retry", None, by="kustomize-controller")
    await world.advance(30.0)
    annotate(world, "retry", f"{value}-2")
    await world.run(_jobs(4), 60.0, "a new value")
    await world.advance(60.0)
    annotate(world, "retry", value, by="kustomize-controller")  # Git had the first one
    again = world.fork()  # and the operator starts anew
    for operator in (world, again):
        await operator.advance(120.0)
        assert len(operator.invariants.jobs) == 4


def _jobs(count: int) -> Callable[[World], bool]:
    return lambda w: len(w.invariants.jobs) == count and w.status.get("phase") == "Rejected"


async def test_a_handled_token_stays_handled_when_the_object_is_created_again() -> None:
    world = await World((*rollouts.REFUSED, token("retry", "DECLARED", _jobs(3), hold=60.0))).play()
    value = world.status["lastHandled"]["retry"]
    world.script = (*world.script, steps.delete())
    await world.play()
    again = steps.apply("inaccurate", steps.rejected)
    again.do(world)
    annotate(world, "retry", value, by="kustomize-controller")
    await world.advance(200.0)
    assert len(world.invariants.jobs) == 3 and "Restored" in world.notes


async def test_the_live_version_is_rolled_back_by_hand_to_its_warm_predecessor() -> None:
    back = token("rollback", "INC-1", lambda w: w.weights == {"good": 100}, limit=5.0, hold=120.0)
    world = await World((*rollouts.PROMOTED, back)).play()
    assert rejected(world)[0]["reason"] == "RolledBackByHand"
    assert world.mdep["spec"]["rollback"]["reason"] == "RolledBackByHand"
    assert world.version("stable") == "good" and world.status["phase"] == "RolledBack"


async def test_a_cold_predecessor_is_started_before_it_gets_any_traffic() -> None:
    world = await World(rollouts.PROMOTED).play()
    await world.advance(200.0)
    assert len(list(world.store.all("Deployment"))) == 1
    annotate(world, "rollback", "INC-1")
    await world.advance(2.0)
    assert world.weights == {"better": 100} and world.status["phase"] != "RolledBack"
    await world.run(lambda w: w.weights == {"good": 100}, 30.0, "brought up, then all traffic")
    await world.run(steps.rolled_back, 30.0, "and it says so")
    assert not world.invariants.violations


async def test_without_a_predecessor_a_rollback_by_hand_changes_nothing() -> None:
    world = await World((*rollouts.FIRST, token("rollback", "1", handled("rollback")))).play()
    await world.advance(60.0)
    assert world.weights == {"good": 100} and not rejected(world)
    assert "TokenIgnored" in world.notes


async def test_a_step_that_needs_approval_is_entered_only_after_it() -> None:
    asks = change("rollout.approvals", [50], weighs("better", 10), hold=600.0)
    world = await World((*CANARY, asks)).play()
    conditions = {c["type"]: c for c in world.status["conditions"]}
    assert conditions["Paused"]["reason"] == "AwaitingApproval"
    assert "kubectl merit approve fraud-scorer" in world.status["summary"]
    annotate(world, "approve", "0badc0de")
    await world.advance(60.0)
    assert weighs("better", 10)(world)
    annotate(world, "approve", "CANDIDATE")
    await world.run(live("better"), 900.0, "approved")
    assert not world.invariants.violations


async def test_an_approval_is_valid_for_one_version_only() -> None:
    script = (change("rollout.approvals", [50], weighs("better", 10), hold=600.0),)
    world = await World((*CANARY, *script)).play()
    annotate(world, "approve", "CANDIDATE")
    world.script = (*world.script, steps.apply("fixed", exposed("fixed")))
    await world.play()
    world.script = (*world.script, change("rollout.approvals", [50], weighs("fixed", 10), 600.0))
    await world.play()


@pytest.mark.parametrize("verb", ["approve", "promote", "retry", "rollback", "abort"])
async def test_any_text_in_a_token_is_cut_to_64_characters_and_handled_once(verb: str) -> None:
    script = (*rollouts.FIRST, token(verb, "x\n" * 5000, lambda w: verb in _last_handled(w)))
    world = await World(script).play()
    await world.advance(60.0)
    assert len(_last_handled(world)[verb]) <= 64 and _last_handled(world)[verb].isprintable()
    assert world.notes.count("TokenIgnored") == 1


def _last_handled(world: World) -> dict[str, str]:
    return world.status.get("lastHandled", {})


async def test_a_ledger_without_the_label_is_not_used_and_not_overwritten() -> None:
    world = await World(rollouts.ROLLED_BACK).play()
    ledger = ("ConfigMap", world.key.namespace, "fraud-scorer-ledger")
    world.store.patch(ledger, {"metadata": {"labels": {"merit.dev/name": None}}}, "somebody")
    before = world.store.objects[ledger]["data"]
    again = world.fork()
    ref = ("ModelDeployment", *world.key)
    again.store.patch(ref, {"status": dict.fromkeys(again.status)}, "restore", "status")
    await again.advance(60.0)
    assert again.store.objects[ledger]["data"] == before
    assert again.weights == {"good": 100}
    assert "belongs to somebody else" in again.status["summary"]
