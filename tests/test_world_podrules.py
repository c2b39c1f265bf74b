"""The rules about pods have teeth: each, broken by hand in the operator's name, is told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.test_world_arms import NAME, declare, scaled, short
from tests.test_world_replicas import by_pods, new_world
from tests.world.scenarios import exposed, live
from tests.world.server import MANAGER
from tests.world.world import World

HPA = "HorizontalPodAutoscaler"


def _arm(world: World, version: str) -> str:
    return f"{NAME}-{short(world, version)}"


def _scale(world: World, version: str, replicas: int, by: str = MANAGER) -> None:
    ref = ("Deployment", "risk", _arm(world, version))
    world.store.patch(ref, {"spec": {"replicas": replicas}}, by, "scale")


def _scales_beside_the_autoscaler(world: World) -> None:
    _scale(world, "good", 5)


def _applies_replicas(world: World) -> None:
    name = {"name": _arm(world, "good"), "namespace": "risk"}
    obj = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": name}
    world.store.apply(obj | {"spec": {"replicas": 3}}, MANAGER)


def _deletes_below_the_autoscaler(world: World) -> None:
    world.store.delete(("Deployment", "risk", _arm(world, "good")), MANAGER)


def _autoscales_the_candidate(world: World) -> None:
    made = world.store.get((HPA, "risk", _arm(world, "good")))
    assert made is not None
    made["metadata"]["name"] = _arm(world, "better")
    world.store.create(made, MANAGER)


def _forgets_the_floor(world: World) -> None:
    status = {"candidate": {"floor": 6}}
    world.store.patch(("ModelDeployment", *world.key), {"status": status}, MANAGER, "status")
    route = ("HTTPRoute", *world.key)
    world.store.patch(route, {"metadata": {"labels": {"a": "b"}}}, MANAGER)


def _lets_stable_shrink(world: World) -> None:
    status = {"candidate": {"floor": 2}}
    world.store.patch(("ModelDeployment", *world.key), {"status": status}, MANAGER, "status")
    _scale(world, "good", 1, "hpa-controller")


BROKEN: dict[str, tuple[Callable[[World], None], str]] = {
    "scaling beside an autoscaler": (_scales_beside_the_autoscaler, "C2"),
    "replicas in an apply": (_applies_replicas, "C2"),
    "pods that go before their autoscaler": (_deletes_below_the_autoscaler, "C2"),
    "an autoscaler of a candidate": (_autoscales_the_candidate, "C2"),
    "an autoscaler below the floor": (_forgets_the_floor, "S4"),
    "a stable revision that shrinks below the floor": (_lets_stable_shrink, "S4"),
}


@pytest.mark.parametrize("what", BROKEN)
async def test_the_monitor_tells_of(what: str) -> None:
    script = (declare(scaled("good"), live("good")), declare(scaled("better"), exposed("better")))
    world = await World(script).play()
    do, invariant = BROKEN[what]
    do(world)
    assert any(f" {invariant}:" in said for said in world.monitor.violations)


def _too_many(world: World) -> None:
    _scale(world, "better", 4)


def _unready(world: World) -> None:
    ref = ("EndpointSlice", "risk", f"{_arm(world, 'better')}-slice")
    world.store.patch(ref, {"endpoints": []}, "endpointslice-controller")
    front = ("Service", "risk", NAME)
    world.store.patch(front, {"metadata": {"labels": {"a": "b"}}}, MANAGER)


SHARES: dict[str, tuple[Callable[[World], None], str]] = {
    "more pods than the step allows": (_too_many, "S2"),
    "pods that are reached and not ready": (_unready, "S3"),
}


@pytest.mark.parametrize("what", SHARES)
async def test_by_pod_count_the_monitor_tells_of(what: str) -> None:
    world = new_world(
        declare(by_pods("good"), live("good")), declare(by_pods("better"), exposed("better"))
    )
    await world.play()
    do, invariant = SHARES[what]
    do(world)
    assert any(f" {invariant}:" in said for said in world.monitor.violations)
