"""How many pods a revision has, who may scale them, and when they are removed."""

from __future__ import annotations

from typing import Any

from tests.scenarios.scripts import live_monitoring, rollouts, steps
from tests.scenarios.scripts.steps import apply_object, exposed, live, rolled_back
from tests.world.manifests import NAME, autoscaled, manifest
from tests.world.world import World


def replicas(world: World, version: str) -> int:
    return int(deployment(world, version)["spec"]["replicas"])


def deployment(world: World, version: str) -> dict[str, Any]:
    return world.store.objects["Deployment", "risk", f"{NAME}-{world.short(version)}"]


def scaler(world: World, version: str) -> dict[str, Any] | None:
    called = f"{NAME}-{world.short(version)}"
    return world.store.objects.get(("HorizontalPodAutoscaler", "risk", called))


async def test_only_a_live_revision_has_an_autoscaler_and_a_leaving_one_gets_its_minimum() -> None:
    world = await World((apply_object(autoscaled("good"), live("good")),)).play()
    await world.advance(30.0)
    found = scaler(world, "good")
    assert found is not None
    assert (found["spec"]["minReplicas"], found["spec"]["maxReplicas"]) == (2, 8)
    world.actors.load_replicas[world.short("good")] = 6
    world.wake_actors()
    await world.run(lambda w: replicas(w, "good") == 6, 30.0, "scaled by load")

    world.script = (*world.script, apply_object(autoscaled("better"), exposed("better")))
    await world.play()
    assert scaler(world, "better") is None
    await world.run(live("better"), 1800.0, "promoted")
    await world.advance(5.0)
    assert scaler(world, "good") is None
    assert scaler(world, "better") is not None
    await world.advance(40.0)
    assert replicas(world, "good") == 2  # kept ready, at its least, since nothing is sent to it
    assert not world.invariants.violations


async def test_stable_keeps_its_replicas_until_the_holdback_is_over() -> None:
    world = await World((apply_object(autoscaled("good"), live("good")),)).play()
    name = world.short("good")
    world.actors.load_replicas[name] = 6
    world.wake_actors()
    await world.run(lambda w: replicas(w, "good") == 6, 60.0, "scaled by load")
    world.script = (*world.script, apply_object(autoscaled("better"), exposed("better")))
    await world.play()
    world.actors.load_replicas[name] = 1  # half of its load has gone elsewhere, and more will
    world.wake_actors()
    await world.run(lambda w: w.weights.get("better") == 90, 1800.0, "the holdback")
    await world.advance(20.0)
    assert replicas(world, "good") == 6
    assert not world.invariants.violations


async def test_the_floor_ends_with_the_candidate_that_was_rolled_back() -> None:
    world = await World((apply_object(autoscaled("good"), live("good")),)).play()
    world.actors.load_replicas[world.short("good")] = 6
    world.wake_actors()
    await world.run(lambda w: replicas(w, "good") == 6, 60.0, "scaled by load")
    world.script = (*world.script, apply_object(autoscaled("failing"), rolled_back))
    await world.play()
    world.actors.load_replicas[world.short("good")] = 1
    world.wake_actors()
    await world.run(lambda w: replicas(w, "good") == 2, 60.0, "the floor is gone")
    assert not world.invariants.violations


async def test_without_a_cpu_request_there_is_no_autoscaler_and_others_may_scale_in_the_range() -> (
    None
):
    obj = autoscaled("good")
    del obj["spec"]["serving"]["template"]["spec"]["containers"][0]["resources"]
    world = await World((apply_object(obj, live("good")),)).play()
    assert scaler(world, "good") is None
    ref = ("Deployment", "risk", f"{NAME}-{world.short('good')}")
    for wanted, found in ((5, 5), (12, 8), (1, 2)):
        world.store.patch(ref, {"spec": {"replicas": wanted}}, "keda", "scale")
        await world.advance(60.0)
        assert replicas(world, "good") == found


async def test_an_autoscaler_that_was_deleted_or_edited_is_restored_at_the_next_relist() -> None:
    world = await World((apply_object(autoscaled("good"), live("good")),)).play()
    called = ("HorizontalPodAutoscaler", "risk", f"{NAME}-{world.short('good')}")
    world.store.delete(called, "kubectl")
    await world.advance(700.0)
    assert called in world.store.objects
    world.store.patch(called, {"spec": {"maxReplicas": 50}}, "kubectl")
    await world.advance(700.0)
    assert world.store.objects[called]["spec"]["maxReplicas"] == 8


async def test_a_live_revision_that_was_scaled_to_zero_is_scaled_up_again() -> None:
    world = await World((apply_object(autoscaled("good"), live("good")),)).play()
    ref = ("Deployment", "risk", f"{NAME}-{world.short('good')}")
    world.store.patch(ref, {"spec": {"replicas": 0}}, "kubectl", "scale")
    await world.advance(20.0)
    assert replicas(world, "good") == 2


async def test_two_pods_and_more_have_a_disruption_budget_and_one_has_none() -> None:
    world = await World((apply_object(autoscaled("good", 2), live("good")),)).play()
    (budget,) = world.store.all("PodDisruptionBudget")
    assert budget["spec"]["maxUnavailable"] == 1
    world = await World((apply_object(autoscaled("good", 1), live("good")),)).play()
    assert not list(world.store.all("PodDisruptionBudget"))


async def test_a_rejected_revision_keeps_its_pods_until_it_gets_no_requests() -> None:
    script = (*rollouts.FIRST, steps.apply("failing", rolled_back))
    world = await World(script).play()
    since = world.now
    called = f"{NAME}-{world.short('failing')}"
    assert ("Deployment", "risk", called) in world.store.objects
    await world.run(
        lambda w: ("Deployment", "risk", called) not in w.store.objects, 60.0, "its pods go"
    )
    assert 4.0 <= world.now - since <= 31.0
    left = [ref for ref in world.store.objects if called in ref[2] and ref[0] != "ConfigMap"]
    await world.advance(5.0)
    left = [ref for ref in world.store.objects if called in ref[2]]
    assert {ref[0] for ref in left} <= {"ConfigMap", "ControllerRevision"}


async def test_without_metrics_a_rejected_revision_is_removed_after_half_a_minute() -> None:
    script = (*rollouts.FIRST, steps.apply("failing", steps.condemned))
    world = await World(script).play()
    since, called = world.now, f"{NAME}-{world.short('failing')}"
    world.traffic.reachable = False
    await world.run(
        lambda w: ("Deployment", "risk", called) not in w.store.objects, 60.0, "its pods go"
    )
    assert world.now - since >= 29.0


async def test_a_rejected_candidate_does_not_remove_the_warm_predecessor() -> None:
    better = manifest("better")
    failing = manifest("failing")
    for obj in (better, failing):
        obj["spec"]["rollbackPolicy"]["keepWarm"] = "4h"
    script = (
        *rollouts.FIRST,
        apply_object(better, live("better")),
        apply_object(failing, rolled_back, hold=120.0),
    )
    world = await World(script).play()
    assert deployment(world, "good")["status"]["readyReplicas"] == 2


async def test_what_is_left_of_a_revision_after_a_manual_deletion_is_removed() -> None:
    script = (*rollouts.FIRST, steps.apply("failing", rolled_back))
    world = await World(script).play()
    called = f"{NAME}-{world.short('failing')}"
    world.store.delete(("Deployment", "risk", called), "kubectl")
    await world.advance(60.0)
    assert ("Service", "risk", called) not in world.store.objects
    assert ("PodDisruptionBudget", "risk", called) not in world.store.objects


async def test_an_object_that_lost_its_owner_reference_stays_when_its_revision_is_removed() -> None:
    script = (*rollouts.FIRST, steps.apply("failing", rolled_back))
    world = await World(script).play()
    called = f"{NAME}-{world.short('failing')}"
    taken = {"metadata": {"ownerReferences": None}}
    world.store.patch(("Service", "risk", called), taken, "kubectl")
    await world.advance(60.0)
    assert ("Deployment", "risk", called) not in world.store.objects
    assert ("Service", "risk", called) in world.store.objects and not world.invariants.violations


async def test_the_deployment_of_a_warm_predecessor_comes_back_if_it_is_deleted() -> None:
    better = manifest("better")
    better["spec"]["rollbackPolicy"]["keepWarm"] = "4h"
    world = await World((*rollouts.FIRST, apply_object(better, live("better")))).play()
    await world.advance(60.0)
    ref = ("Deployment", "risk", f"{NAME}-{world.short('good')}")
    world.store.delete(ref, "kubectl")
    await world.advance(60.0)
    assert world.store.objects[ref]["status"]["readyReplicas"] == 2


async def test_a_predecessor_that_is_promoted_again_is_no_longer_leaving() -> None:
    again = steps.edit(live("good"), "good", rollbackPolicy=live_monitoring.KEPT)
    world = await World((*live_monitoring.WARM, again)).play()
    await world.advance(60.0)
    assert [revision["short"] for revision in world.status["leaving"]] == [world.short("better")]
    await world.advance(1800.0)
    before = world.passes
    await world.advance(600.0)
    assert world.passes - before < 100, "it is looked at again and again"
