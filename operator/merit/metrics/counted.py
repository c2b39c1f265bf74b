"""How often Prometheus is asked, and how often it answers: for the operator's own /metrics."""

from __future__ import annotations

from collections import Counter

from merit.metrics.answer import Answer, Source


class Counted:
    """A source whose queries are counted in `queries`, by `name` and outcome."""

    def __init__(self, source: Source, name: str, queries: Counter[tuple[str, str]]) -> None:
        self._source, self._name, self._queries = source, name, queries

    async def instant(self, query: str, at: float | None = None) -> Answer:
        """As the source answers."""
        answer = await self._source.instant(query, at)
        self._queries[self._name, answer.reason or "Answered"] += 1
        return answer
