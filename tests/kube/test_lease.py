"""The Lease: at most one leads, and the next one takes over."""

from __future__ import annotations

import copy
import threading

import pytest

from merit.kube.errors import Unreachable
from merit.kube.lease import LONGEST, Lease, LeaseLost, watchdog
from tests.kube.fakes import Clock, FakeCluster


def lease(cluster: FakeCluster, clock: Clock, identity: str) -> Lease:
    return Lease(cluster, namespace="merit", name="merit", identity=identity, clock=clock)


def stored(cluster: FakeCluster) -> dict[str, object]:
    spec: dict[str, object] = cluster.objects["Lease", "merit", "merit"]["spec"]
    return spec


async def test_the_first_one_leads_and_the_second_waits() -> None:
    cluster, clock = FakeCluster(), Clock()
    assert await lease(cluster, clock, "a").attempt()
    assert not await lease(cluster, clock, "b").attempt()
    assert stored(cluster)["holderIdentity"] == "a"


async def test_a_released_lease_is_taken_at_once() -> None:
    cluster, clock = FakeCluster(), Clock()
    a, b = lease(cluster, clock, "a"), lease(cluster, clock, "b")
    await a.attempt()
    assert not await b.attempt()
    await a.release()
    assert stored(cluster)["holderIdentity"] == ""
    assert stored(cluster)["leaseDurationSeconds"] == 1
    assert await b.attempt()


async def test_a_dead_leader_is_followed_after_its_duration_by_the_standbys_own_clock() -> None:
    cluster, clock = FakeCluster(), Clock()
    a, b = lease(cluster, clock, "a"), lease(cluster, clock, "b")
    await a.attempt()
    clock.now += 1000  # however old the record is, it counts from when b first saw it
    assert not await b.attempt()
    clock.now += 11.9
    assert not await b.attempt()
    clock.now += 0.2
    assert await b.attempt()


async def test_a_renewal_that_the_standby_sees_starts_the_count_anew() -> None:
    cluster, clock = FakeCluster(), Clock()
    a, b = lease(cluster, clock, "a"), lease(cluster, clock, "b")
    await a.attempt()
    await b.attempt()
    clock.now += 7
    await a.renew()
    assert not await b.attempt()
    clock.now += 11.9
    assert not await b.attempt()
    clock.now += 0.2
    assert await b.attempt()


async def test_a_record_that_claims_a_day_parks_a_standby_for_a_minute_at_most() -> None:
    cluster, clock = FakeCluster(), Clock()
    a, b = lease(cluster, clock, "a"), lease(cluster, clock, "b")
    await a.attempt()
    cluster.objects["Lease", "merit", "merit"]["spec"]["leaseDurationSeconds"] = 86400
    assert not await b.attempt()
    clock.now += LONGEST + 0.1
    assert await b.attempt()


async def test_the_lease_is_lost_when_another_one_took_it() -> None:
    cluster, clock = FakeCluster(), Clock()
    a, b = lease(cluster, clock, "a"), lease(cluster, clock, "b")
    await a.attempt()
    cluster.objects["Lease", "merit", "merit"]["spec"]["leaseDurationSeconds"] = 1
    await b.attempt()
    clock.now += 1.1
    assert await b.attempt()
    with pytest.raises(LeaseLost, match="another replica"):
        await a.renew()


async def test_a_holder_that_was_paused_beyond_its_deadline_does_not_write_once_more() -> None:
    cluster, clock = FakeCluster(), Clock()
    a = lease(cluster, clock, "a")
    await a.attempt()
    before = copy.deepcopy(cluster.objects["Lease", "merit", "merit"])
    clock.now += 8.1
    with pytest.raises(LeaseLost, match="in time"):
        await a.renew()
    assert cluster.objects["Lease", "merit", "merit"] == before


async def test_a_foreign_label_on_the_lease_does_not_lose_it() -> None:
    cluster, clock = FakeCluster(), Clock()
    a = lease(cluster, clock, "a")
    await a.attempt()
    touched = cluster.objects["Lease", "merit", "merit"]
    touched["metadata"]["resourceVersion"] = "99"
    assert not await a.renew()
    assert await a.renew()


async def test_without_an_answer_it_is_lost_at_the_deadline_and_not_before() -> None:
    cluster, clock = FakeCluster(), Clock()
    a = lease(cluster, clock, "a")
    await a.attempt()
    cluster.failing = Unreachable(0, "Unreachable", "timeout")
    clock.now += 7.9
    assert not await a.renew()
    assert not a.overdue()
    clock.now += 0.2
    assert a.overdue()
    with pytest.raises(LeaseLost, match="in time"):
        await a.renew()


async def test_a_decisive_write_is_allowed_only_if_it_ends_before_the_deadline() -> None:
    cluster, clock = FakeCluster(), Clock()
    a = lease(cluster, clock, "a")
    assert not a.may_decide(2.0)
    await a.attempt()
    assert a.may_decide(2.0)
    clock.now += 6.1
    assert not a.may_decide(2.0)


async def test_a_standby_survives_an_api_server_that_does_not_answer() -> None:
    cluster, clock = FakeCluster(), Clock()
    cluster.failing = Unreachable(0, "Unreachable", "timeout")
    assert not await lease(cluster, clock, "a").attempt()


async def test_the_watchdog_thread_ends_the_process_even_if_the_loop_hangs() -> None:
    cluster, clock = FakeCluster(), Clock()
    a = lease(cluster, clock, "a")
    await a.attempt()
    codes: list[int] = []
    ended = threading.Event()

    def end(code: int) -> None:
        codes.append(code)
        ended.set()

    watchdog(a, end=end, every=0.001)
    clock.now += 8.1
    assert ended.wait(5)  # blocks the event loop on purpose
    assert codes == [1]


async def test_a_released_lease_is_not_overdue() -> None:
    cluster, clock = FakeCluster(), Clock()
    a = lease(cluster, clock, "a")
    await a.attempt()
    await a.release()
    clock.now += 100
    assert not a.overdue()
