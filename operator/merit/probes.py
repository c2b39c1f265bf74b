"""What the kubelet and Prometheus ask of the operator itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiohttp import web

LAG = 10.0
"""Seconds that the event loop may be late before this process is of no use."""


class Heart:
    """Beats in the event loop: how late it is shows whether something blocks."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()

    async def beat(self) -> None:
        """For ever."""
        while True:
            self._last = self._clock()
            await asyncio.sleep(1.0)

    def lag(self) -> float:
        """Seconds that the next beat is late."""
        return max(0.0, self._clock() - self._last - 1.0)


@dataclass(frozen=True, slots=True)
class Health:
    """How to find out how things are. Every function answers at once."""

    ready: Callable[[], bool]
    sick: Callable[[], Sequence[str]]
    lag: Callable[[], float]
    metrics: Callable[[], str]


def application(health: Health) -> web.Application:
    """/livez, /readyz, /metrics."""

    async def livez(_: web.Request) -> web.Response:
        if health.lag() > LAG:
            return web.Response(status=503, text=f"event loop late by {health.lag():.1f}s\n")
        if sick := health.sick():
            return web.Response(status=503, text=f"no fresh view of {', '.join(sick)}\n")
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        # A standby is ready too, or a rolling update would never end.
        if not health.ready():
            return web.Response(status=503, text="the watched objects are not listed yet\n")
        return web.Response(text="ok\n")

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(text=health.metrics(), content_type="text/plain", charset="utf-8")

    app = web.Application()
    app.add_routes(
        [web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", metrics)]
    )
    return app
