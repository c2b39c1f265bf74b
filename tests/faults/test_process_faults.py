"""What befalls the process, or everything around it, and is no matter of a single write."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import pytest

from tests.faults.monitor import judged
from tests.faults.proxy import Proxy
from tests.faults.run import DWELL, Plan, Run
from tests.faults.scenarios import SCENARIOS, declare, exposed, live
from tests.faults.stage import FaultStage

pytestmark = [pytest.mark.apiserver, pytest.mark.slow]
STOPPED = 30.0  # seconds: longer than the Lease lasts
LIMIT = 240.0


async def until(condition: object, run: Run, what: str) -> None:
    """Wait until it is so of this run; AssertionError if it never is."""
    end = time.monotonic() + LIMIT
    while not condition(run):  # type: ignore[operator]
        run.stage.check()
        assert time.monotonic() < end, f"{what}: {run.mdep.get('status', {}).get('summary')}"
        await asyncio.sleep(0.1)


async def in_canary(stage: FaultStage, name: str) -> Run:
    """An object whose candidate has a part of the traffic."""
    run = stage.begin(Plan("promotion"), name)
    declare("good")(run)
    await until(live("good"), run, "the first version serves")
    declare("better")(run)
    await until(exposed("better"), run, "the candidate has traffic")
    return run


async def test_a_leader_that_was_stopped_for_half_a_minute_writes_nothing_any_more(
    tmp_path: Path,
) -> None:
    async with (
        FaultStage(tmp_path) as stage,
        Proxy(stage.plane, stage.monitor.newest) as second,
    ):
        stage.restarts = False
        run = await in_canary(stage, "stopped")
        first = stage.operator
        standby = stage.start_operator(second, "standby")
        first.signal(signal.SIGSTOP)
        await asyncio.sleep(STOPPED)
        await until(lambda _: bool(second.committed), run, "the other one has taken over")
        taken = min(write.at for write in second.writes)
        first.signal(signal.SIGCONT)
        await until(lambda _: not first.alive(), run, "the first one ends")
        await until(live("better"), run, "the rollout goes on")
        late = [w.label for w in stage.proxy.committed.values() if w.at > taken]
        assert late == []
        assert judged(run.history, [stage.proxy, second], DWELL).violations == []
        standby.signal(signal.SIGKILL)


async def test_of_two_operators_only_one_writes(tmp_path: Path) -> None:
    async with (
        FaultStage(tmp_path) as stage,
        Proxy(stage.plane, stage.monitor.newest) as second,
    ):
        standby = stage.start_operator(second, "standby")
        run = stage.begin(Plan("canary rolls back"), "twins")
        for step in SCENARIOS["canary rolls back"]:
            step.do(run)
            await until(step.until, run, "as alone")
        writers = [bool(stage.proxy.writes), bool(second.writes)]
        assert sorted(writers) == [False, True]
        assert judged(run.history, [stage.proxy, second], DWELL).violations == []
        standby.signal(signal.SIGKILL)


async def test_a_namespace_that_is_deleted_in_mid_canary_is_left_alone(tmp_path: Path) -> None:
    async with FaultStage(tmp_path) as stage:
        run = await in_canary(stage, "doomed")
        other = await in_canary(stage, "neighbour")
        stage.api.call("DELETE", f"/api/v1/namespaces/{run.namespace}")
        await until(lambda r: not r.history.objects, run, "the namespace is empty")
        await until(live("better"), other, "the neighbour's rollout goes on")
        written = len(run.writes)
        await asyncio.sleep(10.0)  # silence has no event to wait for
        assert len(run.writes) == written
        assert stage.exceptions() == []
