"""The model servers' own series, pod by pod: how bursty a service's bad requests are.

A gateway's series do not tell pods apart. One query per metric and rollout reads the last hours of
the stable revision's pods, minute by minute, before the rollout's first step.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from merit.evidence.dispersion import HISTORY, PodCounts, dispersion
from merit.metrics.answer import Series, Source
from merit.metrics.edges import le_matcher
from merit.metrics.inspection import AGAIN, CHECKED, Inspection, inspect
from merit.metrics.minutes import MINUTE, Row, minutes
from merit.metrics.preset import PodLabels, Preset, service_of
from merit.metrics.promql import joined, matcher, quoted
from merit.metrics.window import bracket, number_of

AT_ONCE = 4  # rollouts that are measured at the same time
KEPT = 3600.0  # seconds that an answer is kept: a rollout takes it once, at its start


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose dispersion: the stable revision of one object, and its limits in seconds by signal."""

    namespace: str
    name: str
    short: str
    edges: tuple[tuple[str, float | None], ...]


@dataclass(frozen=True, slots=True)
class Dispersion:
    """`phi` by signal; a signal without a history of two pods over an hour has none."""

    phi: Mapping[str, float] = field(default_factory=dict)


class Pods:
    """What the servers themselves count. `matchers`: the scrape targets that may speak."""

    def __init__(
        self, source: Source, preset: Preset, *, matchers: Mapping[str, str] | None = None
    ) -> None:
        self._source, self._preset = source, preset
        self.selector = matcher(matchers or {})
        self._found = Inspection()
        self._inspected_at = -math.inf
        self._asked: dict[Asked, float] = {}
        self._known: dict[Asked, tuple[float, Dispersion]] = {}

    def dispersion(
        self, namespace: str, name: str, short: str, edges: Mapping[str, float | None], now: float
    ) -> Dispersion | None:
        """What is known of that revision; None while it is being asked for (from now on).

        `now`: any clock in seconds, the same at each call.
        """
        asked = Asked(namespace, name, short, tuple(sorted(edges.items())))
        found = self._known.get(asked)
        if found is not None:
            return found[1]
        self._asked.setdefault(asked, now)
        return None

    async def measure(self, now: float) -> None:
        """Answer everything that was asked for. Never raises.

        Whatever cannot be answered is told as unknown: a rollout does not wait for history.
        """
        self._known = {k: v for k, v in self._known.items() if now - v[0] < KEPT}
        pending = list(self._asked)[:AT_ONCE]
        if not pending:
            return
        found = await self.inspected(now)
        told = await asyncio.gather(*(self._measure(one, found) for one in pending))
        for one, answer in zip(pending, told, strict=True):
            self._known[one] = (now, answer)
            self._asked.pop(one, None)

    async def inspected(self, now: float) -> Inspection:
        """The newest self-check of these series."""
        every = AGAIN if self._found.problem is not None else CHECKED
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
        """Of these labels, the namespace's."""
        return (self._found.pod or self._preset.pod[0]).namespace

    async def _measure(self, asked: Asked, found: Inspection) -> Dispersion:
        phi: dict[str, float] = {}
        for signal, limit in asked.edges:
            history = (
                await self._errors(asked, found)
                if limit is None
                else await self._slow(asked, found, limit)
            )
            measured = dispersion(history) if history is not None else None
            if measured is not None:
                phi[signal] = measured
        return Dispersion(phi)

    async def _errors(self, asked: Asked, found: Inspection) -> PodCounts | None:
        requests = found.requests
        if requests is None or not requests.tells_errors:
            return None
        key, where = requests.class_ or "", requests.matchers()
        rows = [
            Row(pod, 1, int(requests.bad(s.labels.get(key, ""))), s)
            for pod, s in await self._history(requests.series, where, key, asked, found)
        ]
        if requests.failed:
            failed = await self._history(requests.failed, where, "", asked, found)
            rows += [Row(pod, 1, 1, s) for pod, s in failed]
        return minutes(rows) if rows else None

    async def _slow(self, asked: Asked, found: Inspection, limit: float) -> PodCounts | None:
        latency = found.latency
        if latency is None or latency.bucket is None:
            return None
        _, above = bracket(found.edges, latency.edge(limit))
        if above is None:
            return None
        where = [*latency.matchers(), le_matcher([found.edges[above]])]
        rows = []
        for pod, s in await self._history(latency.bucket, where, "le", asked, found):
            every = math.isinf(number_of(s.labels["le"]))
            rows.append(Row(pod, 1, 1, s) if every else Row(pod, 0, -1, s))
        return minutes(rows) if rows else None

    async def _history(
        self, metric: str, where: Iterable[str], key: str, asked: Asked, found: Inspection
    ) -> list[tuple[str, Series]]:
        """Pod and counter of each pod at each full minute of the last hours."""
        pod = found.pod or self._preset.pod[0]
        whose = joined(
            (
                self.selector,
                f'{pod.namespace}="{quoted(asked.namespace)}"',
                f'{pod.pod}=~"{quoted(re.escape(f"{asked.name}-{asked.short}"))}-.+"',
                *where,
            )
        )
        by = ", ".join(label for label in (pod.pod, key) if label)
        query = f"sum by ({by}) ({metric}{{{whose}}})[{HISTORY:.0f}s:{MINUTE:.0f}s]"
        answer = await self._source.instant(query)
        named = [(s.labels.get(pod.pod, ""), s) for s in answer.series]
        service = f"{asked.name}-{asked.short}"
        return [(name, s) for name, s in named if service_of(name) == service]
