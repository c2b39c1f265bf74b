"""Users' own queries: each text once for the whole fleet, at a slow pace, within a budget.

The author is not trusted: what an answer or an error says stays here, only its number goes on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from merit.evidence.counts import NoSample
from merit.metrics.answer import Answer, Source
from merit.policy.observed import Readings

EVERY = 30.0  # seconds between two looks
FORGOTTEN = 300.0  # seconds after which a query that nobody asks for is no longer sent
MOST = 200  # queries of one round; more take turns
AT_ONCE = 2
KEPT = 10  # readings of a query


@dataclass(slots=True)
class _Query:
    asked_at: float
    read_at: float = float("-inf")
    values: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=KEPT))
    problem: NoSample | None = None


class Queries:
    """The queries of one source. Times are those of any clock in seconds, always the same one."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._known: dict[str, _Query] = {}

    def readings(self, query: str, now: float) -> Readings:
        """The newest values, oldest first: (Prometheus' time, value). Asked for from now on."""
        known = self._known.setdefault(query, _Query(now))
        known.asked_at = now
        if known.problem is not None:
            return known.problem
        if not known.values:
            return NoSample("Unobserved", "the query has not been asked yet")
        return tuple(known.values)

    async def round(self, now: float) -> int:
        """Ask everything that is asked for, as far as the budget goes. How many; never raises."""
        self._known = {q: k for q, k in self._known.items() if now - k.asked_at < FORGOTTEN}
        due = sorted(self._known, key=lambda query: self._known[query].read_at)[:MOST]
        for i in range(0, len(due), AT_ONCE):
            some = due[i : i + AT_ONCE]
            answers = await asyncio.gather(*(self._source.instant(query) for query in some))
            for query, answer in zip(some, answers, strict=True):
                self._read(self._known[query], answer, now)
        return len(due)

    def _read(self, known: _Query, answer: Answer, now: float) -> None:
        known.read_at = now
        known.problem = _problem(answer)
        if known.problem is None:
            point = answer.series[0].samples[-1]
            if not known.values or point[0] > known.values[-1][0]:
                known.values.append(point)


def _problem(answer: Answer) -> NoSample | None:
    if answer.reason:
        return NoSample("QueryFailed", "Prometheus did not answer the query")
    if not answer.series:
        return NoSample("NoSeries", "the query returns nothing")
    if len(answer.series) > 1:
        said = f"the query returns {len(answer.series)} series instead of one: aggregate it"
        return NoSample("ManySeries", said)
    if not answer.series[0].samples:
        return NoSample("NotANumber", "the query returns no finite number")
    return None
