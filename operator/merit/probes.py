"""What the kubelet and Prometheus ask of the operator itself."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from aiohttp import web

LAG = 10.0
"""Seconds that the event loop may be late before this process is of no use."""


@dataclass(slots=True)
class Calls:
    """What was asked of others, since the start."""

    api: Counter[tuple[str, int]] = field(default_factory=Counter)
    prometheus_errors: int = 0

    def count(self, verb: str, code: int) -> None:
        """One call of the API server; code 0 means that there was no answer."""
        self.api[verb, code] += 1


@dataclass(frozen=True, slots=True)
class Queue:
    """The work queue's figures; `depth` and `oldest` (seconds) by lane."""

    depth: dict[str, int]
    oldest: dict[str, float]
    outcomes: dict[str, int]
    seconds: float


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

    calls: Calls
    queue: Callable[[], Queue]
    ready: Callable[[], bool]
    leading: Callable[[], bool]
    sick: Callable[[], Sequence[str]]
    lag: Callable[[], float]


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
        return web.Response(text=exposition(health), content_type="text/plain", charset="utf-8")

    app = web.Application()
    app.add_routes(
        [web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", metrics)]
    )
    return app


def exposition(health: Health) -> str:
    """Prometheus' text format. No tenant's text is in any label."""
    queue = health.queue()
    done = sum(queue.outcomes.values())
    lines = [
        *_family("merit_queue_depth", "gauge", "Keys that are due and wait for a slot."),
        *(f'merit_queue_depth{{lane="{lane}"}} {n}' for lane, n in queue.depth.items()),
        *_family("merit_queue_oldest_seconds", "gauge", "How long the oldest of them is overdue."),
        *(f'merit_queue_oldest_seconds{{lane="{k}"}} {v:.3f}' for k, v in queue.oldest.items()),
        *_family("merit_reconciles_total", "counter", "Reconciles by outcome."),
        *(f'merit_reconciles_total{{outcome="{k}"}} {n}' for k, n in queue.outcomes.items()),
        *_family("merit_reconcile_seconds", "summary", "Time spent in reconciles."),
        f"merit_reconcile_seconds_sum {queue.seconds:.6f}",
        f"merit_reconcile_seconds_count {done}",
        *_family("merit_leader", "gauge", "1 while this replica leads."),
        f"merit_leader {int(health.leading())}",
        *_family("merit_api_requests_total", "counter", "Calls of the API server; 0: no answer."),
        *(
            f'merit_api_requests_total{{verb="{verb}",code="{code}"}} {n}'
            for (verb, code), n in sorted(health.calls.api.items())
        ),
        *_family("merit_prometheus_errors_total", "counter", "Looks at Prometheus that failed."),
        f"merit_prometheus_errors_total {health.calls.prometheus_errors}",
    ]
    return "\n".join(lines) + "\n"


def _family(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"
