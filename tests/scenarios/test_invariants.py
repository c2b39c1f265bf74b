"""Each invariant, broken by hand under the operator's name, is reported."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.scenarios.scripts import rollouts
from tests.world.server import MANAGER
from tests.world.world import World


def _route(world: World, **shares: int) -> None:
    refs = [{"name": f"fraud-scorer-{short}", "weight": part} for short, part in shares.items()]
    body = {"spec": {"rules": [{"backendRefs": refs}]}}
    world.store.patch(("HTTPRoute", *world.key), body, MANAGER)


def _stable(world: World) -> str:
    return str(world.status["stable"]["short"])


def _unproven(world: World) -> None:
    _route(world, **{_stable(world): 90, "0badc0de": 10})


def _two_revisions(world: World) -> None:
    _route(world, **{_stable(world): 90, "0badc0de": 30, "1badc0de": 30})


def _backend_without_weight(world: World) -> None:
    _route(world, **{_stable(world): 100, "0badc0de": 0})


def _scaled(world: World) -> None:
    ref = ("Deployment", world.key.namespace, f"{world.key.name}-{_stable(world)}")
    world.store.patch(ref, {"spec": {"replicas": 0}}, MANAGER, "scale")


def _foreign_object(world: World) -> None:
    meta = {"name": "theirs", "namespace": world.key.namespace}
    theirs = {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {}}
    world.store.create(theirs, "somebody")
    world.store.delete(("Service", world.key.namespace, "theirs"), MANAGER)


def _two_steps(world: World) -> None:
    for weight, step in ((0, 0), (10, 1), (50, 2)):
        candidate = {"short": "0badc0de", "weight": weight, "step": step}
        ref = ("ModelDeployment", *world.key)
        world.store.patch(ref, {"status": {"candidate": candidate}}, MANAGER, "status")


def _status(world: World, **parts: object) -> None:
    world.store.patch(("ModelDeployment", *world.key), {"status": parts}, MANAGER, "status")


def _unpromoted(world: World) -> None:
    _status(world, comparison={"short": "0badc0de", "weight": 50})
    _route(world, **{_stable(world): 50, "0badc0de": 50})


def _overweight(world: World) -> None:
    _status(world, comparison={"short": "0badc0de", "weight": 50})
    _route(world, **{_stable(world): 40, "0badc0de": 60})


def _both(world: World) -> None:
    _status(
        world,
        candidate={"short": "0badc0de", "weight": 10},
        comparison={"short": "1badc0de", "weight": 50},
    )


def _rejected_without_comparison(world: World) -> None:
    stable = world.status["stable"]
    entry = {"revision": stable["revision"], "stage": "Rollout", "policy": "h1:0"}
    before = {"revision": "h1:0badc0de", "short": "0badc0de"}
    _status(world, rejected=[entry], stable=before)


def _replaced_without_record(world: World) -> None:
    _status(world, stable={"revision": "h1:0badc0de", "short": "0badc0de"})


def _returned(world: World) -> None:
    fell = {"revision": "h1:0badc0de", "stage": "Rollout", "policy": "h1:0"}
    _status(world, rejected=[fell], stable={"revision": "h1:0badc0de", "short": "0badc0de"})


def _ready_too_early(world: World) -> None:
    newer = {"spec": {"model": {"version": "next"}}}
    world.store.patch(("ModelDeployment", *world.key), newer, "kubectl")
    generation = world.mdep["metadata"]["generation"]
    ready = {"type": "Ready", "status": "True"}
    _status(world, observedGeneration=generation, conditions=[ready])


def _users_field(world: World) -> None:
    world.store.patch(("ModelDeployment", *world.key), {"spec": {"paused": True}}, MANAGER)


BROKEN: dict[str, tuple[Callable[[World], None], str]] = {
    "weight without a passed evaluation": (_unproven, "S1"),
    "weight without ready endpoints": (_unproven, "S3"),
    "weight for what is not the candidate": (_unproven, "S12"),
    "two revisions beside the stable one": (_two_revisions, "S2"),
    "a backend without weight listed": (_backend_without_weight, "C4"),
    "the stable one scaled down": (_scaled, "S4"),
    "somebody else's object deleted": (_foreign_object, "S9"),
    "a field of the user's": (_users_field, "S11"),
    "two steps up at once": (_two_steps, "S6"),
    "a comparison with what was never promoted": (_unpromoted, "S6"),
    "a comparison above its weight": (_overweight, "S2"),
    "a comparison beside a candidate": (_both, "S2"),
    "a live one blamed without a comparison": (_rejected_without_comparison, "S7"),
    "a rejected one made stable again": (_returned, "S5"),
    "a live one replaced without a record": (_replaced_without_record, "S5"),
    "Ready for what is not taken up yet": (_ready_too_early, "K1"),
}


@pytest.mark.parametrize("what", BROKEN)
async def test_the_monitor_tells_of(what: str) -> None:
    world = await World(rollouts.FIRST).play()
    do, invariant = BROKEN[what]
    do(world)
    assert any(invariant + ":" in violation for violation in world.invariants.violations)


async def test_the_monitor_tells_of_weight_for_what_is_rejected() -> None:
    world = await World(rollouts.ROLLED_BACK).play()
    rejected = world.status["rejected"][0]["revision"][3:11]
    _route(world, **{_stable(world): 90, rejected: 10})
    assert any("S5:" in violation for violation in world.invariants.violations)
