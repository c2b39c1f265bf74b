"""Leadership: the Lease is renewed by a thread, whatever the operator's event loop does."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from merit.kube.errors import Unreachable
from merit.kube.leadership import HANG, Leadership
from merit.kube.lease import Timing
from tests.kube.fakes import FakeCluster

PATIENCE = 30.0  # seconds: for what will not come any more
QUICK = Timing(renew=0.01, poll=0.01)


class Counted(FakeCluster):
    """Says when the Lease has been written that often."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times
        self.enough = threading.Event()

    def _store(self, obj: dict[str, Any]) -> dict[str, Any]:
        stored = super()._store(obj)
        if self.writes >= self.times:
            self.enough.set()
        return stored

    async def close(self) -> None:
        pass


class End:
    """Stands for the end of the process."""

    def __init__(self) -> None:
        self.codes: list[int] = []
        self.came = threading.Event()

    def __call__(self, code: int) -> None:
        self.codes.append(code)
        self.came.set()


def leadership(cluster: FakeCluster, end: End, lag: float = 0.0, identity: str = "a") -> Leadership:
    async def connect() -> Any:
        if cluster.failing:
            raise cluster.failing
        return cluster

    return Leadership(
        connect, namespace="merit", name="merit", identity=identity,
        lag=lambda: lag, end=end, timing=QUICK,
    )  # fmt: skip


def holder(cluster: FakeCluster) -> str:
    return str(cluster.objects["Lease", "merit", "merit"]["spec"]["holderIdentity"])


async def test_the_lease_is_renewed_while_the_event_loop_is_blocked() -> None:
    cluster, end = Counted(times=5), End()
    leader = leadership(cluster, end)
    await leader.acquired()
    assert leader.leading
    assert leader.may_decide(1.0)
    assert cluster.enough.wait(PATIENCE)  # blocks the loop of this test
    assert end.codes == []
    await leader.release()


async def test_released_it_is_free_and_no_longer_renewed() -> None:
    cluster, end = Counted(times=3), End()
    leader = leadership(cluster, end)
    await leader.acquired()
    await leader.release()
    assert holder(cluster) == ""
    assert not leader.leading
    assert not leader.may_decide(0.0)
    assert end.codes == []


async def test_a_standby_that_stops_leaves_the_lease_of_the_other_one_alone() -> None:
    cluster, end = Counted(times=1), End()
    first, second = leadership(cluster, end), leadership(cluster, end, identity="b")
    await first.acquired()
    waiting = asyncio.create_task(second.acquired())
    await asyncio.sleep(0)
    await second.release()
    waiting.cancel()
    assert not second.leading
    assert holder(cluster) == "a"
    await first.release()


async def test_the_process_ends_when_the_lease_is_lost() -> None:
    cluster, end = Counted(times=1), End()
    await leadership(cluster, end).acquired()
    cluster.objects["Lease", "merit", "merit"]["metadata"]["resourceVersion"] = "99"
    cluster.objects["Lease", "merit", "merit"]["spec"]["holderIdentity"] = "b"
    assert end.came.wait(PATIENCE)
    assert end.codes == [1]


async def test_a_process_whose_event_loop_hangs_does_not_keep_the_lease() -> None:
    cluster, end = Counted(times=1), End()
    await leadership(cluster, end, lag=HANG + 1).acquired()
    assert end.came.wait(PATIENCE)
    assert end.codes == [1]
    assert cluster.writes == 1


async def test_without_an_api_server_the_error_reaches_who_waits() -> None:
    cluster, end = Counted(times=1), End()
    cluster.failing = Unreachable(0, "Unreachable", "no cluster")
    with pytest.raises(Unreachable, match="no cluster"):
        await leadership(cluster, end).acquired()
    assert end.codes == []
