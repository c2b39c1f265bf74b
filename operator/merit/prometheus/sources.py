"""All metrics sources: each with its own client and intervals, so that none delays another."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass

from merit.prometheus.distributions import MINUTE, Distributions
from merit.prometheus.fleet import Fleet
from merit.prometheus.pods import Pods
from merit.prometheus.preset import Name
from merit.prometheus.queries import INTERVAL, Queries

log = logging.getLogger("merit.prometheus")
SERVERS_SUFFIX = "/servers"  # after a source's name: the view of its servers' own series
RECHECK = 1.0  # seconds until it is asked again whether there is something to poll
IDLE_AFTER = 120.0  # seconds after which a view that is read on demand is no longer polled


@dataclass(frozen=True, slots=True)
class PollResult:
    """The outcome of one poll of a source. `names`: the objects that were read, None for all.

    `reason` is empty if it was answered.
    """

    source: str
    names: frozenset[Name] | None
    reason: str = ""
    message: str = ""


Poll = Callable[[], Awaitable[PollResult | None]]


@dataclass(frozen=True, slots=True)
class View:
    """One source: the fleet that verdicts rest on, and the servers' own series, if it has any.

    `on_demand`: it is polled only while its measurements are read. `queries`: users' own, of the
    namespaces for which the configuration allows them.
    """

    fleet: Fleet
    pods: Pods | None = None
    on_demand: bool = False
    distributions: Distributions | None = None
    queries: Queries | None = None


class Sources:
    """Every source by name. An object that may use none has no name, and nothing is read for it.

    `fast`, `live`: seconds between two polls of the exposed objects, and of all; `drift`: of the
    long windows of distributions.
    """

    def __init__(
        self,
        views: Mapping[str, View],
        *,
        fast: float,
        live: float,
        drift: float = 300.0,
    ) -> None:
        self._views, self._fast, self._live = views, fast, live
        self._read_at: dict[str, float] = {}
        self._drift = drift

    async def run(
        self,
        on_poll: Callable[[PollResult], None],
        *,
        exposed: Callable[[], Mapping[str, frozenset[Name]]] = dict,
        empty: Callable[[], bool] = lambda: False,
    ) -> None:
        """Poll every source, for ever; `on_poll` gets each result. Ends only by cancellation.

        `exposed`: the objects to poll at the fast pace, by view. `empty`: no object exists, so that
        nothing is polled.
        """

        async def repeat(name: str, interval: float, poll: Poll, *, eager: bool) -> None:
            """Eager: a poll with nothing to read is repeated within a second."""
            await asyncio.sleep(random.uniform(0.0, min(1.0, interval)))
            while True:
                began = time.monotonic()
                result: PollResult | None = None
                if not empty():
                    try:
                        result = await poll()
                    except Exception as error:
                        log.exception("polling source %s failed", name)
                        result = PollResult(name, frozenset(), "MetricsLost", type(error).__name__)
                if result is not None:
                    on_poll(result)
                pace = RECHECK if result is None and eager else interval
                await asyncio.sleep(max(0.05, pace - (time.monotonic() - began)))

        async with asyncio.TaskGroup() as group:
            for name, view in self._views.items():
                group.create_task(repeat(name, self._live, self._poll_all(name), eager=True))
                some = self._poll_exposed(name, exposed)
                group.create_task(repeat(name, self._fast, some, eager=True))
                for interval, poll in self._slow_polls(view):
                    group.create_task(repeat(name, interval, poll, eager=False))
            if not self._views:
                await asyncio.Event().wait()

    def _poll_all(self, name: str) -> Poll:
        view = self._views[name]

        async def poll() -> PollResult | None:
            unread = time.monotonic() - self._read_at.get(name, -math.inf)
            if view.on_demand and unread > IDLE_AFTER:
                return None
            return await _poll(name, view.fleet, None)

        return poll

    def _poll_exposed(
        self, name: str, exposed: Callable[[], Mapping[str, frozenset[Name]]]
    ) -> Poll:
        async def poll() -> PollResult | None:
            names = exposed().get(name)
            return await _poll(name, self._views[name].fleet, names) if names else None

        return poll

    def _slow_polls(self, view: View) -> Iterator[tuple[float, Poll]]:
        """(seconds, poll) of what is read more slowly; no object is reconciled for a result."""
        pods, distributions, queries = view.pods, view.distributions, view.queries
        if pods is not None and not view.on_demand:
            yield RECHECK, lambda: pods.measure(time.monotonic())
        if distributions is not None:
            yield self._drift, lambda: distributions.round(time.monotonic())
            yield MINUTE / 4, lambda: distributions.minute(time.monotonic())
        if queries is not None:
            yield INTERVAL, lambda: queries.round(time.monotonic())

    def view_of(self, name: str, *, by_pods: bool) -> str:
        """The view that counts the requests of an object of this source; empty if it has none.

        `by_pods`: it has no gateway, so its servers' own series are read.
        """
        view = self._views.get(name)
        if not by_pods:
            return name if view is not None else ""
        if name + SERVERS_SUFFIX in self._views:
            return name + SERVERS_SUFFIX
        return name if view is not None and view.fleet.per_pod else ""

    def view(self, name: str) -> View | None:
        """The view of that name, which is being read from now on; None if there is none."""
        self._read_at[name] = time.monotonic()
        return self._views.get(name)


async def _poll(name: str, fleet: Fleet, names: frozenset[Name] | None) -> PollResult:
    await fleet.poll(names)
    available, reason, message = fleet.available()
    return PollResult(name, names) if available else PollResult(name, names, reason, message)
