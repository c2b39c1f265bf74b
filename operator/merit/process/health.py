"""The HTTP endpoints for the kubelet and Prometheus: /livez, /readyz, /metrics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

MAX_LAG = 10.0
"""Seconds that the event loop may be late before the process counts as dead."""


class LivenessProbe:
    """A timer in the event loop. If it is late, something blocks the loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()

    async def beat(self) -> None:
        """Run for ever."""
        while True:
            self._last = self._clock()
            await asyncio.sleep(1.0)

    def lag(self) -> float:
        """Seconds that the timer is late."""
        return max(0.0, self._clock() - self._last - 1.0)


@dataclass(frozen=True, slots=True)
class Health:
    """What the endpoints report; no callable blocks. `stale`: kinds with an outdated cache."""

    ready: Callable[[], bool]
    stale: Callable[[], Sequence[str]]
    lag: Callable[[], float]
    metrics: Callable[[], str]


def application(health: Health) -> web.Application:
    """The web application with the three endpoints."""

    async def livez(_: web.Request) -> web.Response:
        if health.lag() > MAX_LAG:
            return web.Response(status=503, text=f"event loop late by {health.lag():.1f}s\n")
        if stale := health.stale():
            return web.Response(status=503, text=f"no fresh view of {', '.join(stale)}\n")
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        # A standby is ready, too; otherwise a rolling update would not finish.
        if not health.ready():
            return web.Response(status=503, text="the watched objects are not listed yet\n")
        return web.Response(text="ok\n")

    async def metrics(_: web.Request) -> web.Response:
        headers = {"Content-Type": CONTENT_TYPE_PLAIN_0_0_4}
        return web.Response(text=health.metrics(), headers=headers)

    app = web.Application()
    app.add_routes(
        [web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", metrics)]
    )
    return app
