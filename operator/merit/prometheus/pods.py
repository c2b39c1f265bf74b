"""The model servers' own series, pod by pod: how bursty a service's bad requests are.

A gateway's series do not distinguish pods. One query per metric and rollout reads the last hours of
the stable revision's pods, minute by minute, before the rollout's first step.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from merit.prometheus.answer import Series, Source
from merit.prometheus.edges import le_matcher
from merit.prometheus.inspection import CHECK_INTERVAL, RECHECK_INTERVAL, Inspection, inspect
from merit.prometheus.preset import PodLabels, Preset, joined, matcher, quoted, service_of
from merit.prometheus.window import bracket, number_of
from merit.stats.counts import Counts
from merit.stats.dispersion import HISTORY, PodCounts, dispersion

MINUTE = 60.0
CONCURRENCY = 4  # rollouts that are measured at the same time
KEEP = 3600.0  # seconds that a result is kept: a rollout takes it once, at its start


@dataclass(frozen=True, slots=True)
class DispersionRequest:
    """The stable revision of one object, and its limits in seconds by signal (None: errors)."""

    namespace: str
    name: str
    short: str
    edges: tuple[tuple[str, float | None], ...]


class Pods:
    """What the servers themselves count. `matchers`: labels of the scrape targets to read."""

    def __init__(
        self, source: Source, preset: Preset, *, matchers: Mapping[str, str] | None = None
    ) -> None:
        self._source, self._preset = source, preset
        self.selector = matcher(matchers or {})
        self._found = Inspection()
        self._inspected_at = -math.inf
        self._asked: dict[DispersionRequest, float] = {}
        self._known: dict[DispersionRequest, tuple[float, dict[str, float]]] = {}

    def dispersion(
        self, namespace: str, name: str, short: str, edges: Mapping[str, float | None], now: float
    ) -> dict[str, float] | None:
        """phi by signal of that revision; None while it is being measured (from now on).

        A signal without a history of two pods over an hour has none.
        `now`: any clock in seconds, the same at each call.
        """
        request = DispersionRequest(namespace, name, short, tuple(sorted(edges.items())))
        found = self._known.get(request)
        if found is not None:
            return found[1]
        self._asked.setdefault(request, now)
        return None

    async def measure(self, now: float) -> None:
        """Measure everything that was asked for. Never raises.

        Without an answer the dispersion is unknown: a rollout does not wait for history.
        """
        self._known = {k: v for k, v in self._known.items() if now - v[0] < KEEP}
        pending = list(self._asked)[:CONCURRENCY]
        if not pending:
            return
        found = await self.inspected(now)
        measured = await asyncio.gather(*(self._measure(one, found) for one in pending))
        for request, result in zip(pending, measured, strict=True):
            self._known[request] = (now, result)
            self._asked.pop(request, None)

    async def inspected(self, now: float) -> Inspection:
        """The newest self-check of these series."""
        every = RECHECK_INTERVAL if self._found.problem is not None else CHECK_INTERVAL
        if now - self._inspected_at >= every:
            self._found = await inspect(self._source, self._preset, self.selector)
            self._inspected_at = now
        return self._found

    async def labels(self) -> PodLabels:
        """The labels that name a pod here; the preset's first choice while nothing is known."""
        found = await self.inspected(time.monotonic())
        return found.pod or self._preset.pod[0]

    @property
    def namespace_label(self) -> str:
        """The label that names the namespace."""
        return (self._found.pod or self._preset.pod[0]).namespace

    async def _measure(self, request: DispersionRequest, found: Inspection) -> dict[str, float]:
        phi: dict[str, float] = {}
        for signal, limit in request.edges:
            history = (
                await self._errors(request, found)
                if limit is None
                else await self._slow(request, found, limit)
            )
            measured = dispersion(history) if history is not None else None
            if measured is not None:
                phi[signal] = measured
        return phi

    async def _errors(self, request: DispersionRequest, found: Inspection) -> PodCounts | None:
        requests = found.requests
        if requests is None or not requests.counts_errors:
            return None
        key, where = requests.class_ or "", requests.matchers()
        rows = [
            Row(pod, 1, int(requests.bad(s.labels.get(key, ""))), s)
            for pod, s in await self._history(requests.series, where, key, request, found)
        ]
        if requests.failed:
            failed = await self._history(requests.failed, where, "", request, found)
            rows += [Row(pod, 1, 1, s) for pod, s in failed]
        return by_minute(rows) if rows else None

    async def _slow(
        self, request: DispersionRequest, found: Inspection, limit: float
    ) -> PodCounts | None:
        latency = found.latency
        if latency is None or latency.bucket is None:
            return None
        _, above = bracket(found.edges, latency.edge(limit))
        if above is None:
            return None
        where = [*latency.matchers(), le_matcher([found.edges[above]])]
        rows = []
        history = await self._history(latency.bucket, where, "le", request, found)
        with_edge = {pod for pod, s in history if not math.isinf(number_of(s.labels["le"]))}
        for pod, s in history:
            every = math.isinf(number_of(s.labels["le"]))
            if pod in with_edge:
                rows.append(Row(pod, 1, 1, s) if every else Row(pod, 0, -1, s))
        return by_minute(rows) if rows else None

    async def _history(
        self,
        metric: str,
        matchers: Iterable[str],
        key: str,
        request: DispersionRequest,
        found: Inspection,
    ) -> list[tuple[str, Series]]:
        """Pod and counter of each pod at each full minute of the last hours."""
        pod = found.pod or self._preset.pod[0]
        where = joined(
            (
                self.selector,
                f'{pod.namespace}="{quoted(request.namespace)}"',
                f'{pod.pod}=~"{quoted(re.escape(f"{request.name}-{request.short}"))}-.+"',
                *matchers,
            )
        )
        by = ", ".join(label for label in (pod.pod, key) if label)
        query = f"sum by ({by}) ({metric}{{{where}}})[{HISTORY:.0f}s:{MINUTE:.0f}s]"
        answer = await self._source.instant(query)
        named = [(s.labels.get(pod.pod, ""), s) for s in answer.series]
        service = f"{request.name}-{request.short}"
        return [(name, s) for name, s in named if service_of(name) == service]


@dataclass(frozen=True, slots=True)
class Row:
    """One counter of one pod, and how it counts: 1 or 0 for requests; 1, 0 or -1 for bad ones.

    A class of errors is (1, 1), any other class (1, 0). Of a histogram all requests are (1, 1), and
    those below the limit (0, -1).
    """

    pod: str
    requests: int
    bad: int
    series: Series


def by_minute(rows: Iterable[Row]) -> PodCounts:
    """Every pod's counts in each minute that the rows span; None where a pod has no requests."""
    increases = [(row, _increases(row.series)) for row in rows]
    known = {minute for row, more in increases if row.requests for minute in more}
    if not known:
        return PodCounts({})
    span = range(min(known), max(known) + 1)
    by_pod: dict[str, list[tuple[Row, dict[int, float]]]] = {}
    for row, more in increases:
        by_pod.setdefault(row.pod, []).append((row, more))
    return PodCounts(
        {pod: [_cell(minute, own) for minute in span] for pod, own in sorted(by_pod.items())}
    )


def _cell(minute: int, rows: list[tuple[Row, dict[int, float]]]) -> Counts | None:
    if not any(row.requests and minute in grown for row, grown in rows):
        return None
    n = sum(row.requests * grown.get(minute, 0.0) for row, grown in rows)
    bad = sum(row.bad * grown.get(minute, 0.0) for row, grown in rows)
    return Counts(n=n, bad=min(n, max(0.0, bad)))


def _increases(series: Series) -> dict[int, float]:
    """By minute: how much the counter grew in it; a value that drops is a restart."""
    values = {round(at / MINUTE): value for at, value in series.samples}
    grown = {}
    for minute, value in values.items():
        before = values.get(minute - 1)
        if before is not None:
            grown[minute] = value - before if value >= before else value
    return grown
