"""Each invariant of pods, broken by hand under the operator's name, is reported."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.scenarios.scripts.steps import apply_object, exposed, live
from tests.world.manifests import NAME, autoscaled, by_pod_count
from tests.world.server import MANAGER
from tests.world.world import World

HPA = "HorizontalPodAutoscaler"


def _deployment_name(world: World, version: str) -> str:
    return f"{NAME}-{world.short(version)}"


def _scale(world: World, version: str, replicas: int, by: str = MANAGER) -> None:
    ref = ("Deployment", "risk", _deployment_name(world, version))
    world.store.patch(ref, {"spec": {"replicas": replicas}}, by, "scale")


def _scales_beside_the_autoscaler(world: World) -> None:
    _scale(world, "good", 5)


def _applies_replicas(world: World) -> None:
    name = {"name": _deployment_name(world, "good"), "namespace": "risk"}
    obj = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": name}
    world.store.apply(obj | {"spec": {"replicas": 3}}, MANAGER)


def _deletes_below_the_autoscaler(world: World) -> None:
    world.store.delete(("Deployment", "risk", _deployment_name(world, "good")), MANAGER)


def _autoscales_the_candidate(world: World) -> None:
    made = world.store.get((HPA, "risk", _deployment_name(world, "good")))
    assert made is not None
    made["metadata"]["name"] = _deployment_name(world, "better")
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
    script = (
        apply_object(autoscaled("good"), live("good")),
        apply_object(autoscaled("better"), exposed("better")),
    )
    world = await World(script).play()
    do, invariant = BROKEN[what]
    do(world)
    assert any(f" {invariant}:" in violation for violation in world.invariants.violations)


def _too_many(world: World) -> None:
    _scale(world, "better", 4)


def _unready(world: World) -> None:
    ref = ("EndpointSlice", "risk", f"{_deployment_name(world, 'better')}-slice")
    world.store.patch(ref, {"endpoints": []}, "endpointslice-controller")
    front = ("Service", "risk", NAME)
    world.store.patch(front, {"metadata": {"labels": {"a": "b"}}}, MANAGER)


SHARES: dict[str, tuple[Callable[[World], None], str]] = {
    "more pods than the step allows": (_too_many, "S2"),
    "pods that are reached and not ready": (_unready, "S3"),
}


@pytest.mark.parametrize("what", SHARES)
async def test_by_pod_count_the_monitor_tells_of(what: str) -> None:
    world = World(
        (
            apply_object(by_pod_count("good"), live("good")),
            apply_object(by_pod_count("better"), exposed("better")),
        ),
        per_pod=True,
    )
    await world.play()
    do, invariant = SHARES[what]
    do(world)
    assert any(f" {invariant}:" in violation for violation in world.invariants.violations)
