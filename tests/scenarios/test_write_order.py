"""The order of writes: a rollback before its record, a read before a weight, the new leader."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import pytest

from merit.kube.cache import Cache, Key
from merit.kube.client import merge_patch
from merit.kube.errors import Conflict
from merit.policy.state.observed import Observed
from merit.policy.state.times import stamp
from merit.reconciler.loop import Reconciler
from merit.reconciler.memory import Memory
from tests.scenarios.scripts import rollouts
from tests.scenarios.scripts.steps import USER, annotate, apply, exposed, live, pods_down
from tests.world.manifests import config, manifest
from tests.world.merge import Object
from tests.world.pods import CRASH_LOOP, NOT_READY
from tests.world.server import ApiServer, Faults
from tests.world.traffic import MeasuredFleet
from tests.world.world import ReasonRecorder, World


async def test_traffic_is_rolled_back_though_the_verdict_cannot_be_recorded() -> None:
    world = await World((*rollouts.FIRST, apply("better", exposed("better")))).play()
    world.server.faults = Faults(deny=frozenset({"ModelDeployment"}))
    world.set_pods("better", 8, CRASH_LOOP)
    await world.run(lambda w: w.weights == {"good": 100}, 2.0, "users first")
    assert not world.status.get("rejected")
    world.server.faults = Faults()
    await world.run(pods_down, 120.0, "and the record follows")
    assert not world.invariants.violations


async def test_an_operator_whose_lease_may_expire_during_a_write_writes_nothing() -> None:
    world = await World((*rollouts.FIRST, apply("better", exposed("better")))).play()
    world.leads = False
    writes = world.server.writes
    world.set_pods("better", 8, CRASH_LOOP)
    await world.advance(60.0)
    assert world.server.writes == writes and "better" in world.weights
    world.leads = True
    await world.run(lambda w: w.weights == {"good": 100}, 5.0, "it leads again")


async def test_a_lease_that_may_expire_in_the_midst_of_a_pass_ends_it_before_the_next_write() -> (
    None
):
    world = World(rollouts.FIRST)

    def slowly(_: int) -> None:
        world.leads = False

    world.server.after = slowly
    world.store.apply(manifest("good"), USER)
    await world.advance(30.0)
    assert world.server.writes == 1
    world.server.after, world.leads = None, True
    await world.play()


async def test_a_weight_is_raised_on_the_present_endpoints_not_on_those_in_the_cache() -> None:
    world = await World(rollouts.FIRST, lag=20.0).play()
    apply("better", exposed("better")).do(world)
    await world.run(_intends, 300.0, "a first share is intended")
    assert world.weights == {"good": 100}
    world.set_pods("better", 8, NOT_READY)  # which the operator's cache shows twenty seconds later
    await world.advance(15.0)
    assert world.weights == {"good": 100} and not world.invariants.violations
    world.heal_pods()
    await world.run(live("better"), 1800.0, "with pods it goes on")


async def test_a_leader_with_an_old_cache_raises_nothing_that_the_new_one_rolled_back() -> None:
    world = await World(rollouts.FIRST).play()
    apply("better", exposed("better")).do(world)
    await world.run(_intends, 300.0, "a first share is intended")
    view = Cache()
    for (kind, _, _), obj in world.store.objects.items():
        view.put(kind, obj)
    old = Reconciler(
        world.server,  # type: ignore[arg-type]
        view,
        MeasuredFleet(world.traffic, world.now),  # type: ignore[arg-type]
        config(),
        ReasonRecorder(world.server, []),
        world.clock,
    )
    old._memories = copy.deepcopy(world.reconciler._memories)  # it was only stopped for a while
    await world.run(exposed("better"), 60.0, "the newer leader sets it")
    world.set_pods("better", 8, CRASH_LOOP)
    await world.run(lambda w: w.weights == {"good": 100}, 5.0, "and takes it back")
    world.heal_pods()
    await world.run(lambda w: len(list(w.store.all("Pod"))) == 4, 1.0, "its pods are well")
    before = world.store.objects["HTTPRoute", *world.key]
    with contextlib.suppress(Conflict):
        for _ in range(5):
            world.now += 5.0
            await old.reconcile(world.key)
    assert world.store.objects["HTTPRoute", *world.key] == before
    assert world.weights == {"good": 100} and not world.invariants.violations


def another_leader_writes(world: World, status: Object) -> None:
    """Between a pass's view and its writes another leader's status arrives, once."""
    observe = world.reconciler._gatherer.observe

    async def and_then(key: Key, obj: Object, memory: Memory, now: float) -> Observed:
        seen = await observe(key, obj, memory, now)
        world.reconciler._gatherer.observe = observe  # type: ignore[method-assign]
        patch = {"status": merge_patch(world.status, status)}
        world.store.patch(("ModelDeployment", *world.key), patch, "merit", "status")
        world.cache.put("ModelDeployment", world.mdep)
        return seen

    world.reconciler._gatherer.observe = and_then  # type: ignore[method-assign]


async def test_a_rejection_and_a_token_that_another_leader_recorded_meanwhile_are_kept() -> None:
    world = await World((*rollouts.FIRST, apply("better", exposed("better")))).play()
    other = world.fork()
    annotate(other, "abort", "1")
    await other.run(lambda w: not w.status.get("candidate"), 60.0, "it aborts")
    another_leader_writes(world, other.status)
    await world.advance(60.0)
    assert [entry["reason"] for entry in world.status["rejected"]] == ["Aborted"]
    assert world.status["lastHandled"] == {"abort": "1"}
    assert world.weights == {"good": 100} and not world.invariants.violations


def edit_before_each_status(world: World, times: int) -> None:
    """Somebody annotates the object just before the operator writes its status."""
    left = [times]

    def edit(_number: int) -> None:
        if world.server.log[-1][0] == "status" and left[0]:
            left[0] -= 1
            note = {"metadata": {"annotations": {"example.com/note": str(left[0])}}}
            world.store.patch(("ModelDeployment", *world.key), note, "somebody")

    world.server.before = edit


async def test_a_verdict_whose_record_meets_an_edit_is_decided_again_at_once() -> None:
    world = await World((*rollouts.FIRST, apply("better", exposed("better")))).play()
    edit_before_each_status(world, 1)
    world.set_pods("better", 8, CRASH_LOOP)
    await world.run(lambda w: bool(w.status.get("rejected")), 0.0, "on record at once")


async def test_a_verdict_whose_record_meets_edits_for_ever_takes_the_traffic_first() -> None:
    world = await World((*rollouts.FIRST, apply("better", exposed("better")))).play()
    edit_before_each_status(world, 1000)
    world.set_pods("better", 8, CRASH_LOOP)
    await world.run(lambda w: w.weights == {"good": 100}, 2.0, "users first")
    assert not world.status.get("rejected")
    world.server.before = None
    await world.run(pods_down, 120.0, "and the record follows")
    assert not world.invariants.violations


async def test_a_weight_is_not_raised_on_a_route_that_changed_since_it_was_decided_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = await World(rollouts.FIRST).play()
    apply("better", exposed("better")).do(world)
    await world.run(_intends, 300.0, "a first share is intended")
    listed = ApiServer.list

    async def and_then(self: ApiServer, *args: Any, **more: Any) -> list[Object]:
        """While the ready endpoints are read, another leader writes the route."""
        route = world.store.objects["HTTPRoute", *world.key]
        note = {"metadata": {"annotations": {"merit.dev/hash": "another"}}}
        if args[1] == "EndpointSlice" and "another" not in str(route["metadata"]):
            world.store.patch(("HTTPRoute", *world.key), note, "merit")
            world.cache.put("HTTPRoute", world.store.objects["HTTPRoute", *world.key])
        return await listed(self, *args, **more)

    monkeypatch.setattr(ApiServer, "list", and_then)
    with pytest.raises(Conflict):
        for _ in range(20):
            world.now += 1.0
            await world.reconciler.reconcile(world.key)
    assert world.weights == {"good": 100}


async def test_nothing_is_created_again_for_an_object_that_is_being_deleted() -> None:
    world = await World(rollouts.FIRST).play()
    going = {"metadata": {"deletionTimestamp": stamp(world.now)}}  # somebody's finalizer holds it
    world.store.patch(("ModelDeployment", *world.key), going, "garbage-collector")
    for ref in [r for r in world.store.objects if r[0] in ("Deployment", "HTTPRoute")]:
        world.store.delete(ref, "garbage-collector")
    writes = world.server.writes
    await world.advance(120.0)
    assert world.server.writes == writes


def _intends(world: World) -> bool:
    return bool((world.status.get("candidate") or {}).get("weight"))
