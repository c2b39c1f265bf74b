"""All metrics sources at work: each with its own client and rhythm, so none delays another."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass

from merit.evidence.counts import NoSample, Sample
from merit.metrics.arms import FleetArms
from merit.metrics.distributions import MINUTE, Distributions, Wanted
from merit.metrics.fleet import Fleet
from merit.metrics.pods import Dispersion, Pods
from merit.metrics.preset import Name
from merit.metrics.queries import EVERY, Queries
from merit.policy.observed import Distribution, Figure, Pair, Readings

log = logging.getLogger("merit.metrics")
OWN = "/servers"  # after a source's name: the view of its servers' own series
NO_SERVERS = NoSample("NoSource", "the metrics source reads no series of the servers")
CHECK = 1.0  # seconds between two questions whether somebody has become exposed; they cost nothing


WANTED = 120.0  # seconds for which a view is looked at after somebody has asked it


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at one source brought. `names`: whom it told of, None for everybody.

    `reason` is empty if it was answered.
    """

    source: str
    names: frozenset[Name] | None
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """One source: the fleet that verdicts rest on, and the servers' own series, if it has any.

    `idle`: it is looked at only while somebody asks it.
    `queries`: users' own, which are sent for the namespaces that the configuration opens it to.
    """

    fleet: Fleet
    pods: Pods | None = None
    idle: bool = False
    distributions: Distributions | None = None
    queries: Queries | None = None


class Sources:
    """Every source by name; `default` is meant where nobody names one.

    `fast`, `live`: seconds between two looks at the exposed objects, and at everybody; `drift`:
    at the long windows of distributions. `exposed`: whose candidates have traffic, by source.
    `empty`: nobody is there to be looked at.
    """

    def __init__(
        self,
        views: Mapping[str, View],
        *,
        default: str,
        fast: float,
        live: float,
        drift: float = 300.0,
    ) -> None:
        self._views, self._default, self._fast, self._live = views, default, fast, live
        self._asked: dict[str, float] = {}
        self._drift = drift
        self.exposed: Callable[[], Mapping[str, frozenset[Name]]] = dict
        self.empty: Callable[[], bool] = lambda: False

    async def run(self, told: Callable[[Look], None]) -> None:
        """Look at every source, for ever; `told` hears of each look. Ends only by cancellation."""
        async with asyncio.TaskGroup() as group:
            for name, view in self._views.items():
                group.create_task(self._repeat(name, self._live, self._everybody(name, view), told))
                group.create_task(self._repeat(name, self._fast, self._exposed(name, view), told))
                for every, look in self._beside(view):
                    group.create_task(self._repeat(name, every, look, told, eager=False))
            if not self._views:
                await asyncio.Event().wait()

    def _everybody(self, name: str, view: View) -> Callable[[], Awaitable[Look | None]]:
        async def look() -> Look | None:
            if view.idle and time.monotonic() - self._asked.get(name, -math.inf) > WANTED:
                return None
            await view.fleet.tick()
            return _look(name, None, view.fleet)

        return look

    def _exposed(self, name: str, view: View) -> Callable[[], Awaitable[Look | None]]:
        async def look() -> Look | None:
            names = self.exposed().get(name, frozenset())
            if not names:
                return None
            await view.fleet.tick(names)
            return _look(name, names, view.fleet)

        return look

    def _beside(self, view: View) -> Iterator[tuple[float, Callable[[], Awaitable[Look | None]]]]:
        """What is read more slowly, and waits for nobody: its results are read from memory."""
        pods, distributions, queries = view.pods, view.distributions, view.queries
        if pods is not None and not view.idle:
            yield CHECK, lambda: pods.measure(time.monotonic())
        if distributions is not None:
            yield self._drift, lambda: distributions.round(time.monotonic())
            yield MINUTE / 4, lambda: distributions.minute(time.monotonic())
        if queries is not None:
            yield EVERY, lambda: _silent(queries)

    async def _repeat(
        self,
        name: str,
        every: float,
        look: Callable[[], Awaitable[Look | None]],
        told: Callable[[Look], None],
        *,
        eager: bool = True,
    ) -> None:
        """Every so many seconds; an eager look that had nobody to look at, again within one."""
        await asyncio.sleep(random.uniform(0.0, min(1.0, every)))
        while True:
            began = time.monotonic()
            looked: Look | None = None
            if not self.empty():
                try:
                    looked = await look()
                except Exception as error:
                    log.exception("looking at source %s failed", name)
                    looked = Look(name, frozenset(), "MetricsLost", type(error).__name__)
            if looked is not None:
                told(looked)
            pace = CHECK if looked is None and eager else every
            left = pace - (time.monotonic() - began)
            await asyncio.sleep(max(0.05, left))

    def available(self) -> tuple[bool, str, str]:
        """Whether the default source was answered last; else why not."""
        view = self._views.get(self._default)
        if view is None:
            return True, "NoSource", "no metrics source is configured"
        return view.fleet.available()

    def sample(self, arms: FleetArms) -> Sample | NoSample:
        """As `Fleet.sample`, of the source that `arms` names."""
        view = self._view(arms.source)
        if view is None:
            return NoSample("NoSource", "the operator's configuration has no metrics source for it")
        return view.fleet.sample(arms)

    def display(
        self,
        namespace: str,
        name: str,
        short: str,
        port: int,
        edges: Mapping[str, float | None],
        *,
        source: str = "",
    ) -> dict[str, Figure]:
        """As `Fleet.display`."""
        view = self._view(source)
        return view.fleet.display(namespace, name, short, port, edges) if view else {}

    def idle(self, namespace: str, name: str, short: str, port: int, *, source: str = "") -> bool:
        """As `Fleet.idle`; unknown is not idle."""
        view = self._view(source)
        return view.fleet.idle(namespace, name, short, port) if view else False

    def warnings(
        self, edges: Mapping[str, float | None], *, source: str = ""
    ) -> tuple[tuple[str, str], ...]:
        """As `Fleet.warnings`."""
        view = self._view(source)
        return view.fleet.warnings(edges) if view else ()

    def dispersion(
        self,
        namespace: str,
        name: str,
        short: str,
        edges: Mapping[str, float | None],
        *,
        source: str = "",
    ) -> Dispersion | None:
        """As `Pods.dispersion`; nothing is known where the servers are not read."""
        view = self._view(source)
        if view is None or view.pods is None:
            return Dispersion()
        return view.pods.dispersion(namespace, name, short, edges, time.monotonic())

    def windows(
        self, namespace: str, name: str, short: str, wanted: Wanted, *, source: str = ""
    ) -> Distribution | NoSample:
        """As `Distributions.windows`."""
        view = self._view(source)
        if view is None or view.distributions is None:
            return NO_SERVERS
        return view.distributions.windows(namespace, name, short, wanted, time.monotonic())

    def pair(
        self,
        namespace: str,
        name: str,
        *,
        candidate: str,
        stable: str,
        wanted: Wanted,
        source: str = "",
    ) -> Pair | NoSample:
        """As `Distributions.pair`."""
        view = self._view(source)
        if view is None or view.distributions is None:
            return NO_SERVERS
        now = time.monotonic()
        return view.distributions.pair(
            namespace, name, candidate=candidate, stable=stable, wanted=wanted, now=now
        )

    def readings(self, query: str, *, source: str = "") -> Readings:
        """As `Queries.readings`."""
        view = self._view(source)
        if view is None or view.queries is None:
            return NoSample("QueriesClosed", "the metrics source takes no queries")
        return view.queries.readings(query, time.monotonic())

    def per_pod(self, source: str) -> bool:
        """Whether this source reads the servers' own series."""
        view = self._view(source)
        return view is not None and view.pods is not None

    def view_of(self, source: str, *, by_pods: bool) -> str:
        """The view that counts the requests of an object of this source; empty if it has none.

        `by_pods`: no gateway is before it, so its servers' own series must do.
        """
        name = source or self._default
        view = self._views.get(name)
        if not by_pods:
            return name if view is not None else ""
        if name + OWN in self._views:
            return name + OWN
        return name if view is not None and view.fleet.per_pod else ""

    def _view(self, source: str) -> View | None:
        name = source or self._default
        self._asked[name] = time.monotonic()
        return self._views.get(name)


async def _silent(queries: Queries) -> None:
    await queries.round(time.monotonic())


def _look(name: str, names: frozenset[Name] | None, fleet: Fleet) -> Look:
    well, reason, message = fleet.available()
    return Look(name, names) if well else Look(name, names, reason, message)
