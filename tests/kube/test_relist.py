"""Relisting: what the watches missed."""

from __future__ import annotations

from typing import Any

import pytest

from merit.kube.cache import Cache, Key
from merit.kube.errors import Forbidden
from merit.kube.relist import LAG, SILENCE, Relist
from merit.kube.watch_health import WatchHealth
from merit.kube.watches import Watched, watched
from tests.kube.fakes import Clock, FakeCluster

POD = Watched("", "v1", "pods", "Pod")


class RelistBench:
    """A cluster, a cache and a relist of pods."""

    def __init__(self, *namespaces: str) -> None:
        self.cluster, self.cache, self.clock = FakeCluster(), Cache(), Clock()
        self.woken: list[Key] = []
        self.watch_health = WatchHealth(self.cache, self.woken.append, clock=self.clock)
        self.relist = Relist(
            self.cluster,
            self.cache,
            self.watch_health,
            [POD],
            namespaces=namespaces,
            clock=self.clock,
        )

    async def pod(self, name: str, namespace: str = "ns") -> dict[str, Any]:
        labels = {"merit.dev/name": "scorer"}
        metadata = {"name": name, "namespace": namespace, "labels": labels}
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


async def test_a_namespace_that_may_not_be_listed_keeps_no_other_from_being_served() -> None:
    bench = RelistBench("gone", "ns")
    bench.cluster.forbidden = {"gone"}
    await bench.pod("p")
    await bench.relist.fill()
    assert bench.cache.get("Pod", "ns", "p") is not None
    assert bench.relist.closed == {"gone"}


async def test_if_no_namespace_may_be_listed_a_right_is_missing_and_the_start_fails() -> None:
    bench = RelistBench("gone", "lost")
    bench.cluster.forbidden = {"gone", "lost"}
    with pytest.raises(Forbidden, match="cannot list Pod in gone"):
        await bench.relist.fill()


async def test_a_namespace_that_is_deleted_meanwhile_is_dropped_and_nothing_is_sick() -> None:
    bench = RelistBench("gone", "ns")
    await bench.pod("p", "gone")
    await bench.relist.fill()
    bench.cluster.forbidden = {"gone"}
    assert await bench.relist.once(POD)
    assert bench.cache.get("Pod", "gone", "p") is not None, "a refusal alone is no deletion"
    bench.woken.clear()
    for _ in range(4):
        bench.clock.now += SILENCE / 2
        assert await bench.relist.once(POD)
        assert bench.relist.sick() == []
    assert bench.cache.get("Pod", "gone", "p") is None
    assert bench.woken == [Key("gone", "scorer")]
    assert bench.relist.closed == {"gone"}


async def test_a_namespace_that_may_be_listed_again_is_served_again() -> None:
    bench = RelistBench("gone", "ns")
    bench.cluster.forbidden = {"gone"}
    await bench.pod("p", "gone")
    await bench.relist.fill()
    await bench.relist.reopen()
    assert bench.relist.closed == {"gone"}
    bench.cluster.forbidden = set()
    await bench.relist.reopen()
    assert not bench.relist.closed
    assert bench.woken[-1] == Key("gone", "scorer")
    assert await bench.relist.once(POD)
