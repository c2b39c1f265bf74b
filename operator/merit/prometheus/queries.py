"""Users' own queries: each text once for the whole fleet, slowly, within a budget by namespace.

The author is not trusted: of an answer only the number leaves this module, never a text.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from merit.policy.state.measurements import Readings
from merit.prometheus.answer import Answer, Source
from merit.stats.counts import NoSample

INTERVAL = 30.0  # seconds between two rounds
STALE = 300.0  # seconds after which a value counts no more
FORGET = 300.0  # seconds after which a query that is not read is no longer sent
MAX_PER_ROUND = 200  # queries of one namespace; more take turns
BUDGET = 25.0  # seconds a round for the queries of one namespace, the wait for others included
CONCURRENCY = 4  # namespaces whose queries run at the same time
READINGS = 10  # kept of each query


@dataclass(slots=True)
class _Query:
    asked_by: dict[str, float] = field(default_factory=dict)
    read_at: float = float("-inf")
    values: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=READINGS))
    problem: NoSample | None = None


class Queries:
    """The queries of one source. Times are those of any clock in seconds, always the same one.

    Of each namespace one query at a time is on its way, so that many slow ones of one delay nobody
    else's.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._known: dict[str, _Query] = {}
        self._late: set[str] = set()  # the namespaces whose last round was cut short

    def readings(self, query: str, namespace: str, now: float) -> Readings:
        """The newest values, oldest first: (Prometheus' time, value). Sent from now on."""
        known = self._known.setdefault(query, _Query())
        known.asked_by[namespace] = now
        if known.problem is not None:
            return known.problem
        late = " (the queries of this namespace are slow)" if namespace in self._late else ""
        if known.values and now - known.read_at > STALE:
            return NoSample("MetricsLost", f"the query was not answered lately{late}")
        if not known.values:
            return NoSample("Unobserved", f"the query has not been asked yet{late}")
        return tuple(known.values)

    async def round(self, now: float) -> None:
        """Send all queries that are read, within the budgets. Never raises."""
        lanes: dict[str, list[str]] = {}
        for query, known in list(self._known.items()):
            known.asked_by = {n: at for n, at in known.asked_by.items() if now - at < FORGET}
            if not known.asked_by:
                del self._known[query]
            for namespace in known.asked_by:
                lanes.setdefault(namespace, []).append(query)
        slots = asyncio.Semaphore(CONCURRENCY)
        served = {n: max(self._known[query].read_at for query in lanes[n]) for n in lanes}
        turns = sorted(lanes, key=lambda namespace: served[namespace])
        await asyncio.gather(*(self._lane(n, lanes[n], slots, now) for n in turns))

    async def _lane(
        self, namespace: str, queries: list[str], slots: asyncio.Semaphore, now: float
    ) -> None:
        """The queries of one namespace, one by one: first what was read longest ago."""
        due = sorted(queries, key=lambda query: self._known[query].read_at)[:MAX_PER_ROUND]
        self._late.discard(namespace)
        try:
            async with asyncio.timeout(BUDGET):
                for query in due:
                    async with slots:
                        if self._known[query].read_at < now:  # else another namespace's lane did
                            self._read(self._known[query], await self._source.instant(query), now)
        except TimeoutError:
            self._late.add(namespace)

    def _read(self, known: _Query, answer: Answer, now: float) -> None:
        known.read_at = now
        known.problem = _problem(answer)
        if known.problem is None:
            point = _newest(answer)
            if not known.values or point[0] > known.values[-1][0]:
                known.values.append(point)


def _problem(answer: Answer) -> NoSample | None:
    if answer.reason:
        return NoSample("QueryFailed", "Prometheus did not answer the query")
    if not answer.series:
        return NoSample("NoSeries", "the query returns nothing")
    if len(answer.series) > 1:
        message = f"the query returns {len(answer.series)} series instead of one: aggregate it"
        return NoSample("ManySeries", message)
    if not (answer.series[0].samples or answer.series[0].infinite):
        return NoSample("NotANumber", "the query returns no number")
    return None


def _newest(answer: Answer) -> tuple[float, float]:
    """The newest value; +Inf is one: more than any bound."""
    series = answer.series[0]
    return max((*series.samples[-1:], *series.infinite[-1:]))
