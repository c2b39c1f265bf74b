"""The sweep: what the watches never said."""

from __future__ import annotations

from typing import Any

from merit.cluster.cache import Cache, Key
from merit.cluster.intake import Intake
from merit.cluster.sweep import LAG, SILENCE, Sweep
from merit.cluster.watches import Watched, watched
from tests.cluster.fakes import Clock, FakeCluster

POD = Watched("", "v1", "pods", "Pod")


class Bench:
    """A cluster, a cache and a sweep over pods."""

    def __init__(self) -> None:
        self.cluster, self.cache, self.clock = FakeCluster(), Cache(), Clock()
        self.woken: list[Key] = []
        self.intake = Intake(self.cache, self.woken.append, clock=self.clock)
        self.sweep = Sweep(self.cluster, self.cache, self.intake, [POD], clock=self.clock)

    async def pod(self, name: str) -> dict[str, Any]:
        labels = {"merit.dev/name": "scorer"}
        metadata = {"name": name, "namespace": "ns", "labels": labels}
        return await self.cluster.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata})


async def test_filling_lists_everything_before_anything_is_decided() -> None:
    bench = Bench()
    await bench.pod("p")
    await bench.sweep.fill()
    assert bench.cache.get("Pod", "ns", "p") is not None
    assert bench.woken == [Key("ns", "scorer")]


async def test_an_object_deleted_behind_the_watchs_back_is_forgotten_and_wakes_its_owner() -> None:
    bench = Bench()
    await bench.pod("p")
    await bench.sweep.fill()
    bench.cluster.objects.clear()
    bench.woken.clear()
    assert await bench.sweep.once(POD)
    assert bench.cache.get("Pod", "ns", "p") is None
    assert bench.woken == [Key("ns", "scorer")]


async def test_an_object_made_again_under_its_name_is_not_the_old_one() -> None:
    bench = Bench()
    old = await bench.pod("p")
    await bench.sweep.fill()
    bench.cluster.objects.clear()
    new = await bench.pod("p")
    assert not await bench.sweep.once(POD)
    assert bench.cache.known_by_uid("Pod", old) is None
    bench.clock.now += LAG + 1
    await bench.sweep.recheck(POD)
    assert bench.cache.known_by_uid("Pod", new) is not None


async def test_what_is_made_while_it_lists_stays() -> None:
    bench = Bench()
    await bench.pod("old")
    await bench.sweep.fill()
    bench.cluster.objects.clear()
    listing = bench.cluster.list

    async def meanwhile(*args: Any, **options: Any) -> list[dict[str, Any]]:
        listed = await listing(*args, **options)
        bench.intake.seen("Pod", await bench.pod("new"))
        return listed

    bench.cluster.list = meanwhile  # type: ignore[method-assign]
    assert await bench.sweep.once(POD)
    assert bench.cache.get("Pod", "ns", "old") is None
    assert bench.cache.get("Pod", "ns", "new") is not None


async def test_a_watch_two_minutes_behind_is_mended_and_called_dead() -> None:
    bench = Bench()
    await bench.sweep.fill()
    await bench.pod("p")
    assert not await bench.sweep.once(POD)
    assert bench.sweep.sick() == []
    bench.clock.now += LAG + 1
    await bench.sweep.recheck(POD)
    assert bench.sweep.sick() == ["Pod"]
    assert bench.cache.get("Pod", "ns", "p") is not None


async def test_an_event_that_was_only_late_does_no_harm() -> None:
    bench = Bench()
    await bench.sweep.fill()
    pod = await bench.pod("p")
    await bench.sweep.once(POD)
    bench.intake.seen("Pod", pod)
    bench.clock.now += LAG + 1
    await bench.sweep.recheck(POD)
    assert bench.sweep.sick() == []


async def test_a_kind_without_a_word_for_two_sweeps_is_not_fresh() -> None:
    bench = Bench()
    await bench.sweep.fill()
    bench.clock.now += SILENCE + 1
    assert bench.sweep.sick() == ["Pod"]
    await bench.sweep.once(POD)
    assert bench.sweep.sick() == []


def test_routes_are_watched_only_where_gateway_api_is_used() -> None:
    with_routes = {kind.plural for kind in watched(gateway_api=True)}
    without = {kind.plural for kind in watched(gateway_api=False)}
    assert with_routes - without == {"httproutes"}
    assert "modeldeployments" in without
