"""Relisting: what the watches missed."""

from __future__ import annotations

from typing import Any

from merit.kube.cache import Cache, Key
from merit.kube.relist import LAG, SILENCE, Relist
from merit.kube.watch_health import WatchHealth
from merit.kube.watches import Watched, watched
from tests.kube.fakes import Clock, FakeCluster

POD = Watched("", "v1", "pods", "Pod")


class RelistBench:
    """A cluster, a cache and a relist of pods."""

    def __init__(self) -> None:
        self.cluster, self.cache, self.clock = FakeCluster(), Cache(), Clock()
        self.woken: list[Key] = []
        self.watch_health = WatchHealth(self.cache, self.woken.append, clock=self.clock)
        self.relist = Relist(self.cluster, self.cache, self.watch_health, [POD], clock=self.clock)

    async def pod(self, name: str) -> dict[str, Any]:
        labels = {"merit.dev/name": "scorer"}
        metadata = {"name": name, "namespace": "ns", "labels": labels}
        return await self.cluster.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata})


async def test_filling_lists_everything_before_anything_is_decided() -> None:
    bench = RelistBench()
    await bench.pod("p")
    await bench.relist.fill()
    assert bench.cache.get("Pod", "ns", "p") is not None
    assert bench.woken == [Key("ns", "scorer")]


async def test_an_object_whose_deletion_the_watch_missed_is_dropped_and_wakes_its_owner() -> None:
    bench = RelistBench()
    await bench.pod("p")
    await bench.relist.fill()
    bench.cluster.objects.clear()
    bench.woken.clear()
    assert await bench.relist.once(POD)
    assert bench.cache.get("Pod", "ns", "p") is None
    assert bench.woken == [Key("ns", "scorer")]


async def test_an_object_made_again_under_its_name_is_not_the_old_one() -> None:
    bench = RelistBench()
    old = await bench.pod("p")
    await bench.relist.fill()
    bench.cluster.objects.clear()
    new = await bench.pod("p")
    assert not await bench.relist.once(POD)
    assert bench.cache.known_by_uid("Pod", old) is None
    bench.clock.now += LAG + 1
    await bench.relist.recheck(POD)
    assert bench.cache.known_by_uid("Pod", new) is not None


async def test_an_object_created_during_a_list_stays_in_the_cache() -> None:
    bench = RelistBench()
    await bench.pod("old")
    await bench.relist.fill()
    bench.cluster.objects.clear()
    listing = bench.cluster.list

    async def meanwhile(*args: Any, **options: Any) -> list[dict[str, Any]]:
        listed = await listing(*args, **options)
        bench.watch_health.seen("Pod", await bench.pod("new"))
        return listed

    bench.cluster.list = meanwhile  # type: ignore[method-assign]
    assert await bench.relist.once(POD)
    assert bench.cache.get("Pod", "ns", "old") is None
    assert bench.cache.get("Pod", "ns", "new") is not None


async def test_a_watch_two_minutes_behind_is_repaired_and_reported_as_broken() -> None:
    bench = RelistBench()
    await bench.relist.fill()
    await bench.pod("p")
    assert not await bench.relist.once(POD)
    assert bench.relist.sick() == []
    bench.clock.now += LAG + 1
    await bench.relist.recheck(POD)
    assert bench.relist.sick() == ["Pod"]
    assert bench.cache.get("Pod", "ns", "p") is not None


async def test_a_late_event_is_no_broken_watch() -> None:
    bench = RelistBench()
    await bench.relist.fill()
    pod = await bench.pod("p")
    await bench.relist.once(POD)
    bench.watch_health.seen("Pod", pod)
    bench.clock.now += LAG + 1
    await bench.relist.recheck(POD)
    assert bench.relist.sick() == []


async def test_a_kind_without_a_confirmation_for_two_lists_is_not_fresh() -> None:
    bench = RelistBench()
    await bench.relist.fill()
    bench.clock.now += SILENCE + 1
    assert bench.relist.sick() == ["Pod"]
    await bench.relist.once(POD)
    assert bench.relist.sick() == []


def test_routes_are_watched_only_where_gateway_api_is_used() -> None:
    with_routes = {kind.plural for kind in watched(gateway_api=True)}
    without = {kind.plural for kind in watched(gateway_api=False)}
    assert with_routes - without == {"httproutes"}
    assert "modeldeployments" in without
