"""The operator process: what it does before it watches anything."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from merit.config import Config
from merit.process.app import Operator, Options
from merit.process.exporter import Calls
from merit.process.health import LivenessProbe


class SilentCluster:
    """An API server that takes every request and answers none."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def serves(self, *_: object) -> bool:
        self.asked.set()
        await asyncio.Event().wait()
        return True


def parts(*_: Any) -> Any:
    return SimpleNamespace(
        reconciler=SimpleNamespace(reconcile=None, urgent=None, affected=None),
        metrics=None,
        telemetry=None,
        outbox=None,
    )


async def test_a_process_that_waits_for_the_api_server_is_alive() -> None:
    cluster: Any = SilentCluster()
    options = Options(identity="it", namespace="merit", host="127.0.0.1", port=0)
    operator = Operator(Config(), options, cluster=cluster, calls=Calls(), build=parts)
    now = [0.0]
    operator._liveness = LivenessProbe(lambda: now[0])
    now[0] = 30.0  # seconds, since the process began
    working = asyncio.create_task(operator._work())
    await cluster.asked.wait()
    await asyncio.sleep(0)
    lag = operator._liveness.lag()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    assert lag == 0.0
