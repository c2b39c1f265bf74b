"""Users' own queries: each text once for the whole fleet, slowly, within a budget.

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
MAX_PER_ROUND = 200  # queries; more take turns
CONCURRENCY = 2
READINGS = 10  # kept of each query


@dataclass(slots=True)
class _Query:
    asked_at: float
    read_at: float = float("-inf")
    values: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=READINGS))
    problem: NoSample | None = None


class Queries:
    """The queries of one source. Times are those of any clock in seconds, always the same one."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._known: dict[str, _Query] = {}

    def readings(self, query: str, now: float) -> Readings:
        """The newest values, oldest first: (Prometheus' time, value). Sent from now on."""
        known = self._known.setdefault(query, _Query(now))
        known.asked_at = now
        if known.problem is not None:
            return known.problem
        if known.values and now - known.read_at > STALE:
            return NoSample("MetricsLost", "the query was not answered lately")
        if not known.values:
            return NoSample("Unobserved", "the query has not been asked yet")
        return tuple(known.values)

    async def round(self, now: float) -> None:
        """Send all queries that are read, within the budget. Never raises."""
        self._known = {q: k for q, k in self._known.items() if now - k.asked_at < FORGET}
        due = sorted(self._known, key=lambda query: self._known[query].read_at)[:MAX_PER_ROUND]
        for i in range(0, len(due), CONCURRENCY):
            some = due[i : i + CONCURRENCY]
            answers = await asyncio.gather(*(self._source.instant(query) for query in some))
            for query, answer in zip(some, answers, strict=True):
                self._read(self._known[query], answer, now)

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
