"""How many pods a revision has, who says so, and when they go."""

from __future__ import annotations

from typing import Any

from tests.world import scenarios, watching
from tests.world.manifests import manifest
from tests.world.scenarios import USER, exposed, live, rolled_back
from tests.world.world import Step, World

NAME = "fraud-scorer"


def scaled(version: str, least: int = 2, most: int = 8) -> dict[str, Any]:
    """A version that may be scaled by load."""
    obj = manifest(version)
    obj["spec"]["constraints"]["scale"]["replicas"] = {"min": least, "max": most}
    container = obj["spec"]["serving"]["template"]["spec"]["containers"][0]
    container["resources"] = {"requests": {"cpu": "200m", "memory": "256Mi"}}
    return obj


def declare(obj: dict[str, Any], until: Any, hold: float = 0.0) -> Step:
    return Step(lambda world: world.store.apply(obj, USER) and None, until, hold=hold)


def replicas(world: World, version: str) -> int:
    return int(deployment(world, version)["spec"]["replicas"])


def deployment(world: World, version: str) -> dict[str, Any]:
    return world.store.objects["Deployment", "risk", f"{NAME}-{short(world, version)}"]


def short(world: World, version: str) -> str:
    return next(s for s, v in world.traffic.versions.items() if v == version)


def scaler(world: World, version: str) -> dict[str, Any] | None:
    called = f"{NAME}-{short(world, version)}"
    return world.store.objects.get(("HorizontalPodAutoscaler", "risk", called))


async def test_only_what_is_live_is_scaled_by_load_and_what_leaves_goes_back_to_its_least() -> None:
    world = await World((declare(scaled("good"), live("good")),)).play()
    await world.rest(30.0)
    found = scaler(world, "good")
    assert found is not None
    assert (found["spec"]["minReplicas"], found["spec"]["maxReplicas"]) == (2, 8)
    world.actors.load[short(world, "good")] = 6
    world.restless = True
    await world.run(lambda w: replicas(w, "good") == 6, 30.0, "scaled by load")

    world.script = (*world.script, declare(scaled("better"), exposed("better")))
    await world.play()
    assert scaler(world, "better") is None
    await world.run(live("better"), 1800.0, "promoted")
    await world.rest(5.0)
    assert scaler(world, "good") is None
    assert scaler(world, "better") is not None
    await world.rest(40.0)
    assert replicas(world, "good") == 2  # kept ready, at its least, since nothing is sent to it
    assert not world.monitor.violations


async def test_stable_keeps_what_it_had_until_the_holdback_is_over() -> None:
    world = await World((declare(scaled("good"), live("good")),)).play()
    name = short(world, "good")
    world.actors.load[name] = 6
    world.restless = True
    await world.run(lambda w: replicas(w, "good") == 6, 60.0, "scaled by load")
    world.script = (*world.script, declare(scaled("better"), exposed("better")))
    await world.play()
    world.actors.load[name] = 1  # half of its load has gone elsewhere, and more will
    world.restless = True
    await world.run(lambda w: w.weights.get("better") == 90, 1800.0, "the holdback")
    await world.rest(20.0)
    assert replicas(world, "good") == 6
    assert not world.monitor.violations


async def test_the_floor_goes_with_the_candidate_that_was_rolled_back() -> None:
    world = await World((declare(scaled("good"), live("good")),)).play()
    world.actors.load[short(world, "good")] = 6
    world.restless = True
    await world.run(lambda w: replicas(w, "good") == 6, 60.0, "scaled by load")
    world.script = (*world.script, declare(scaled("failing"), rolled_back))
    await world.play()
    world.actors.load[short(world, "good")] = 1
    world.restless = True
    await world.run(lambda w: replicas(w, "good") == 2, 60.0, "the floor is gone")
    assert not world.monitor.violations


async def test_without_a_request_for_cpu_nobody_scales_and_within_the_range_everybody_may() -> None:
    obj = scaled("good")
    del obj["spec"]["serving"]["template"]["spec"]["containers"][0]["resources"]
    world = await World((declare(obj, live("good")),)).play()
    assert scaler(world, "good") is None
    ref = ("Deployment", "risk", f"{NAME}-{short(world, 'good')}")
    for wanted, found in ((5, 5), (12, 8), (1, 2)):
        world.store.patch(ref, {"spec": {"replicas": wanted}}, "keda", "scale")
        await world.rest(60.0)
        assert replicas(world, "good") == found


async def test_an_autoscaler_that_somebody_deleted_or_edited_is_put_right_at_the_next_sweep() -> (
    None
):
    world = await World((declare(scaled("good"), live("good")),)).play()
    called = ("HorizontalPodAutoscaler", "risk", f"{NAME}-{short(world, 'good')}")
    world.store.delete(called, "kubectl")
    await world.rest(700.0)
    assert called in world.store.objects
    world.store.patch(called, {"spec": {"maxReplicas": 50}}, "kubectl")
    await world.rest(700.0)
    assert world.store.objects[called]["spec"]["maxReplicas"] == 8


async def test_somebody_who_scales_a_live_revision_to_nothing_is_undone() -> None:
    world = await World((declare(scaled("good"), live("good")),)).play()
    ref = ("Deployment", "risk", f"{NAME}-{short(world, 'good')}")
    world.store.patch(ref, {"spec": {"replicas": 0}}, "kubectl", "scale")
    await world.rest(20.0)
    assert replicas(world, "good") == 2


async def test_two_pods_and_more_have_a_disruption_budget_and_one_has_none() -> None:
    world = await World((declare(scaled("good", 2), live("good")),)).play()
    (budget,) = world.store.all("PodDisruptionBudget")
    assert budget["spec"]["maxUnavailable"] == 1
    world = await World((declare(scaled("good", 1), live("good")),)).play()
    assert not list(world.store.all("PodDisruptionBudget"))


async def test_a_rejected_arm_keeps_its_pods_until_nothing_is_sent_to_it_any_more() -> None:
    script = (*scenarios.FIRST, scenarios.apply("failing", rolled_back))
    world = await World(script).play()
    since = world.now
    called = f"{NAME}-{short(world, 'failing')}"
    assert ("Deployment", "risk", called) in world.store.objects
    await world.run(
        lambda w: ("Deployment", "risk", called) not in w.store.objects, 60.0, "its pods go"
    )
    assert 4.0 <= world.now - since <= 31.0
    left = [ref for ref in world.store.objects if called in ref[2] and ref[0] != "ConfigMap"]
    await world.rest(5.0)
    left = [ref for ref in world.store.objects if called in ref[2]]
    assert {ref[0] for ref in left} <= {"ConfigMap", "ControllerRevision"}


async def test_without_metrics_a_rejected_arm_goes_after_half_a_minute_all_the_same() -> None:
    script = (*scenarios.FIRST, scenarios.apply("failing", scenarios.condemned))
    world = await World(script).play()
    since, called = world.now, f"{NAME}-{short(world, 'failing')}"
    world.traffic.reachable = False
    await world.run(
        lambda w: ("Deployment", "risk", called) not in w.store.objects, 60.0, "its pods go"
    )
    assert world.now - since >= 29.0


async def test_a_rejected_candidate_does_not_cost_the_predecessor_that_is_kept_ready() -> None:
    better = manifest("better")
    failing = manifest("failing")
    for obj in (better, failing):
        obj["spec"]["rollbackPolicy"]["keepWarm"] = "4h"
    script = (
        *scenarios.FIRST,
        declare(better, live("better")),
        declare(failing, rolled_back, hold=120.0),
    )
    world = await World(script).play()
    assert deployment(world, "good")["status"]["readyReplicas"] == 2


async def test_what_strangers_left_of_an_arm_is_removed() -> None:
    script = (*scenarios.FIRST, scenarios.apply("failing", rolled_back))
    world = await World(script).play()
    called = f"{NAME}-{short(world, 'failing')}"
    world.store.delete(("Deployment", "risk", called), "kubectl")
    await world.rest(60.0)
    assert ("Service", "risk", called) not in world.store.objects
    assert ("PodDisruptionBudget", "risk", called) not in world.store.objects


async def test_what_is_no_longer_ours_stays_when_the_rest_of_its_arm_goes() -> None:
    script = (*scenarios.FIRST, scenarios.apply("failing", rolled_back))
    world = await World(script).play()
    called = f"{NAME}-{short(world, 'failing')}"
    taken = {"metadata": {"ownerReferences": None}}
    world.store.patch(("Service", "risk", called), taken, "kubectl")
    await world.rest(60.0)
    assert ("Deployment", "risk", called) not in world.store.objects
    assert ("Service", "risk", called) in world.store.objects and not world.monitor.violations


async def test_the_pods_of_a_predecessor_that_is_kept_ready_come_back_if_they_are_deleted() -> None:
    better = manifest("better")
    better["spec"]["rollbackPolicy"]["keepWarm"] = "4h"
    world = await World((*scenarios.FIRST, declare(better, live("better")))).play()
    await world.rest(60.0)
    ref = ("Deployment", "risk", f"{NAME}-{short(world, 'good')}")
    world.store.delete(ref, "kubectl")
    await world.rest(60.0)
    assert world.store.objects[ref]["status"]["readyReplicas"] == 2


async def test_a_predecessor_that_is_promoted_again_leaves_no_more() -> None:
    again = watching.edit(live("good"), "good", rollbackPolicy=watching.KEPT)
    world = await World((*watching.WARM, again)).play()
    await world.rest(60.0)
    assert [arm["short"] for arm in world.status["leaving"]] == [short(world, "better")]
    await world.rest(1800.0)
    before = world.passes
    await world.rest(600.0)
    assert world.passes - before < 100, "it is looked at again and again"
