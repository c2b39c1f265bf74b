"""What GitOps tools and people do to an object that was rolled back: nothing moves it."""

from __future__ import annotations

import json

import pytest

from tests.apiserver.stage import Stage, live, rolled_back

pytestmark = pytest.mark.apiserver
FLUX = "kustomize-controller"


async def after_a_rollback(stage: Stage) -> None:
    stage.declare("good")
    await stage.run(live("good"), "the first version serves")
    stage.declare("failing")
    await stage.run(rolled_back, "the second one is rolled back")


def records(stage: Stage) -> int:
    """How many runs of gates are on record."""
    return sum(ref[0] == "ConfigMap" for ref in stage.store.objects)


async def test_the_bad_manifest_applied_again_moves_nothing(stage: Stage) -> None:
    await after_a_rollback(stage)
    await stage.advance(90.0)  # until the pods of the second one are gone
    pin, generation, jobs = stage.pin, stage.mdep["metadata"]["generation"], records(stage)
    for _ in range(3):
        stage.declare("failing")
        await stage.advance(60.0)
    manifest = json.dumps(bare(stage, {}) | {"spec": stage.declared("failing")})
    for way in (("apply",), ("apply", "--server-side", "--force-conflicts")):
        stage.plane.kubectl(*way, "-f", "-", stdin=manifest)
        await stage.advance(60.0)
    assert (stage.pin, stage.mdep["metadata"]["generation"]) == (pin, generation)
    assert records(stage) == jobs
    assert stage.weights == {"good": 100}


def flux_takes_over(stage: Stage) -> None:
    """What Flux does before its apply: entries of some managers become its own, as applied."""
    fields = stage.mdep["metadata"]["managedFields"]
    for entry in fields:
        if entry["manager"].startswith(("kubectl", "before-first-apply")):
            entry |= {"manager": FLUX, "operation": "Apply"}
    merged: dict[str, dict[str, object]] = {}
    for entry in fields:
        if entry["manager"] == FLUX and FLUX in merged:
            continue  # one entry a manager
        merged[entry["manager"] + entry["operation"] + entry.get("subresource", "")] = entry
    body = {"metadata": {"managedFields": list(merged.values())}}
    stage.api.merge(stage.ref, body, FLUX)


def wiped(stage: Stage) -> None:
    """No manager is known any more, as after a restore or a write that was too large."""
    stage.api.merge(stage.ref, {"metadata": {"managedFields": [{}]}}, "restore")


async def test_a_pin_that_nobody_owns_would_be_pruned_so_it_is_owned_again(stage: Stage) -> None:
    await after_a_rollback(stage)
    pin, generation = stage.pin, stage.mdep["metadata"]["generation"]
    wiped(stage)
    assert stage.pin_managers() == []
    await stage.advance(30.0)
    assert "merit" in stage.pin_managers()
    assert stage.mdep["metadata"]["generation"] == generation
    stage.declare("failing")
    flux_takes_over(stage)
    stage.declare("failing")
    await stage.advance(30.0)
    assert stage.pin == pin and stage.weights == {"good": 100}
    stage.declare("better")
    await stage.run(lambda s: s.pin is None, "Git moves on, and the pin is cleared")


async def test_a_manager_named_like_kubectl_would_lose_its_pin_to_flux(stage: Stage) -> None:
    """Why the operator's field manager is called merit, shown on the real thing."""
    await after_a_rollback(stage)
    pin = dict(stage.pin or {})
    stage.api.merge(stage.ref, {"spec": {"rollback": None}}, "merit")
    stage.api.apply(bare(stage, pin), "kubectl-x")
    flux_takes_over(stage)
    stage.declare("failing")
    assert stage.pin is None
    await stage.advance(30.0)
    assert stage.pin == pin and stage.pin_managers() == ["merit"]


def bare(stage: Stage, pin: dict[str, str]) -> dict[str, object]:
    name = {"name": stage.key.name, "namespace": stage.key.namespace}
    spec = {"rollback": pin}
    return {
        "apiVersion": "merit.dev/v1alpha1", "kind": "ModelDeployment", "metadata": name,
        "spec": spec,
    }  # fmt: skip


async def test_git_may_go_back_and_forth_and_the_rejected_stays_so(stage: Stage) -> None:
    await after_a_rollback(stage)
    stage.declare("good")
    await stage.run(live("good"), "Git goes back to what serves")
    assert stage.pin is None
    jobs = records(stage)
    stage.declare("failing")
    await stage.run(rolled_back, "and forth again")
    await stage.advance(60.0)
    assert stage.weights == {"good": 100}
    assert records(stage) == jobs


async def test_newer_content_while_the_old_one_rolls_back_waits_and_then_rolls_out(
    stage: Stage,
) -> None:
    stage.declare("good")
    await stage.run(live("good"), "the first version serves")
    stage.declare("failing")
    await stage.run(lambda s: bool(s.status.get("rejected")), "it is condemned")
    stage.declare("better")
    seen: set[int] = set()

    def promoted(at: Stage) -> bool:
        seen.add(len(at.weights))
        return live("better")(at)

    await stage.run(promoted, "the newer one rolls out")
    assert max(seen) <= 2


async def test_a_copied_pin_is_no_fight(stage: Stage) -> None:
    await after_a_rollback(stage)
    pin = dict(stage.pin or {})
    stage.declare("failing", rollback=pin)
    await stage.advance(30.0)
    assert stage.pin == pin
    assert not [c for c in stage.status["conditions"] if c["type"] == "OwnershipConflict"]
    stage.declare("failing", rollback=pin | {"reason": "Mine"})
    await stage.advance(60.0)
    generation = stage.mdep["metadata"]["generation"]
    await stage.advance(60.0)
    assert stage.mdep["metadata"]["generation"] == generation
    said = {c["type"]: c for c in stage.status["conditions"]}
    assert said["OwnershipConflict"]["status"] == "True"
    assert stage.weights == {"good": 100}
    stage.declare("failing")
    await stage.run(lambda s: s.pin == pin, "out of Git, and rebuilt from the ledger")


async def test_a_put_without_the_pin_loses_it_for_one_pass(stage: Stage) -> None:
    await after_a_rollback(stage)
    pin = stage.pin
    whole = stage.mdep
    del whole["spec"]["rollback"]
    stage.api.put(stage.ref, whole)
    assert stage.pin is None
    await stage.step()
    assert stage.pin == pin and stage.weights == {"good": 100}


async def test_restored_without_status_nothing_is_canaried_and_the_pin_is_owned(
    stage: Stage,
) -> None:
    await after_a_rollback(stage)
    told = dict.fromkeys(stage.status)
    stage.api.merge(stage.ref, {"status": told}, "restore", "status")
    wiped(stage)
    stage.restart_operator()
    await stage.run(rolled_back, "rebuilt from pin and ledger", 60.0)
    await stage.advance(60.0)
    assert stage.weights == {"good": 100} and "merit" in stage.pin_managers()
    assert "Restored" in stage.notes


async def test_deleted_and_made_again_the_rejected_gets_no_traffic(stage: Stage) -> None:
    await after_a_rollback(stage)
    await stage.advance(30.0)  # the ledger is written once traffic has moved
    stage.store.delete(stage.ref, "user")
    await stage.run(lambda s: not any(r[0] == "Deployment" for r in s.store.objects), "collected")
    stage.declare("failing")
    await stage.advance(60.0)
    assert "failing" not in stage.weights
    assert stage.status["rejected"] and not any(r[0] == "Job" for r in stage.store.objects)
    stage.declare("good")
    await stage.run(live("good"), "what was promoted serves at once")
    assert "Restored" in stage.notes


async def test_our_own_pin_moves_the_generation_and_status_follows_in_the_same_pass(
    stage: Stage,
) -> None:
    stage.declare("good")
    await stage.run(live("good"), "the first version serves")
    stage.declare("failing")
    await stage.run(lambda s: bool(s.mdep["spec"].get("rollback")), "the pin is written")
    for _ in range(2):
        await stage.step()
    assert stage.status["observedGeneration"] == stage.mdep["metadata"]["generation"]
