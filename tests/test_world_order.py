"""What comes first: a rollback before its record, a fresh read before a share, the newer leader."""

from __future__ import annotations

import contextlib
import copy

from merit.cluster.cache import Cache
from merit.cluster.errors import Conflict
from merit.policy.times import stamp
from merit.reconciler.loop import Reconciler
from tests.world import scenarios
from tests.world.ailing import LOOP, LOST, ail, well
from tests.world.manifests import config
from tests.world.scenarios import apply, crashed, exposed, live
from tests.world.server import Faults
from tests.world.traffic import Fleet
from tests.world.world import Recorder, World


async def test_traffic_is_taken_back_though_the_verdict_cannot_be_recorded() -> None:
    world = await World((*scenarios.FIRST, apply("better", exposed("better")))).play()
    world.server.faults = Faults(deny=frozenset({"ModelDeployment"}))
    ail(world, "better", 8, LOOP)
    await world.run(lambda w: w.weights == {"good": 100}, 2.0, "users first")
    assert not world.status.get("rejected")
    world.server.faults = Faults()
    await world.run(crashed, 120.0, "and the record follows")
    assert not world.monitor.violations


async def test_whose_lease_may_run_out_before_a_write_ends_writes_nothing() -> None:
    world = await World((*scenarios.FIRST, apply("better", exposed("better")))).play()
    world.reconciler.may_decide = lambda seconds: False
    writes = world.server.writes
    ail(world, "better", 8, LOOP)
    await world.rest(60.0)
    assert world.server.writes == writes and "better" in world.weights
    world.reconciler.may_decide = lambda seconds: True
    await world.run(lambda w: w.weights == {"good": 100}, 5.0, "it leads again")


async def test_a_share_is_entered_on_endpoints_as_they_are_not_as_they_were_seen() -> None:
    world = await World(scenarios.FIRST, lag=20.0).play()
    apply("better", exposed("better")).do(world)
    await world.run(_intends, 300.0, "a first share is intended")
    assert world.weights == {"good": 100}
    ail(world, "better", 8, LOST)  # which the operator's cache shows twenty seconds later
    await world.rest(15.0)
    assert world.weights == {"good": 100} and not world.monitor.violations
    world.actors.ailing.clear()
    world.restless = True
    await world.run(live("better"), 1800.0, "with pods it goes on")


async def test_a_leader_with_an_older_view_raises_nothing_that_the_newer_one_took_back() -> None:
    world = await World(scenarios.FIRST).play()
    apply("better", exposed("better")).do(world)
    await world.run(_intends, 300.0, "a first share is intended")
    view = Cache()
    for (kind, _, _), obj in world.store.objects.items():
        view.put(kind, obj)
    old = Reconciler(
        world.server,  # type: ignore[arg-type]
        view,
        Fleet(world.traffic, world.now),  # type: ignore[arg-type]
        config(),
        Recorder(world.server, []),
        world.clock,
    )
    old._memories = copy.deepcopy(world.reconciler._memories)  # it was only stopped for a while
    await world.run(exposed("better"), 60.0, "the newer leader sets it")
    ail(world, "better", 8, LOOP)
    await world.run(lambda w: w.weights == {"good": 100}, 5.0, "and takes it back")
    well(world)
    await world.run(lambda w: len(list(w.store.all("Pod"))) == 4, 1.0, "its pods are well")
    before = world.store.objects["HTTPRoute", *world.key]
    with contextlib.suppress(Conflict):
        for _ in range(5):
            world.now += 5.0
            await old.reconcile(world.key)
    assert world.store.objects["HTTPRoute", *world.key] == before
    assert world.weights == {"good": 100} and not world.monitor.violations


async def test_of_what_is_being_deleted_nothing_is_made_again() -> None:
    world = await World(scenarios.FIRST).play()
    going = {"metadata": {"deletionTimestamp": stamp(world.now)}}  # somebody's finalizer holds it
    world.store.patch(("ModelDeployment", *world.key), going, "garbage-collector")
    for ref in [r for r in world.store.objects if r[0] in ("Deployment", "HTTPRoute")]:
        world.store.delete(ref, "garbage-collector")
    writes = world.server.writes
    await world.rest(120.0)
    assert world.server.writes == writes


def _intends(world: World) -> bool:
    return bool((world.status.get("candidate") or {}).get("weight"))
