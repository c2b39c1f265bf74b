"""Which bucket edges there are, which are in use, and which two decide about a limit."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

from merit.evidence.counts import NoSample
from merit.evidence.quantile import seconds_text
from merit.metrics.answer import Series
from merit.metrics.preset import Latency
from merit.metrics.window import bracket, number_of, quoted

HOURLY = 3600.0  # seconds after which edges are learnt anew, and an unused limit is forgotten
AROUND = 3  # edges on each side of a limit, for the quantile that people read


class Edges:
    """The histogram's edges, in its own unit, as Prometheus has them."""

    def __init__(self, latency: Latency) -> None:
        self._latency = latency
        self._known: dict[float, str] = {}  # edge -> how Prometheus spells it
        self._known_at = -math.inf
        self._limits: dict[float, float] = {}

    def due(self, at: float) -> bool:
        """Whether they should be asked for at `at` (Unix seconds)."""
        return not self._known or at - self._known_at >= HOURLY

    def learn(self, series: Iterable[Series], at: float) -> None:
        """From an answer with one series for each `le`."""
        spelled = {number_of(s.labels["le"]): s.labels["le"] for s in series if "le" in s.labels}
        if spelled:
            self._known, self._known_at = spelled, at

    def use(self, limits: Iterable[float], at: float) -> None:
        """These limits (in the histogram's unit) are asked about."""
        for limit in limits:
            self._limits[limit] = at

    def in_use(self, at: float) -> frozenset[float]:
        """The edges to ask for: the ones beside each limit in use, and a few more for people."""
        self._limits = {k: v for k, v in self._limits.items() if at - v < HOURLY}
        finite = sorted(edge for edge in self._known if not math.isinf(edge))
        used: set[float] = set()
        for limit in self._limits:
            below = [edge for edge in finite if edge <= limit][-AROUND - 1 :]
            above = [edge for edge in finite if edge > limit][: AROUND + 1]
            used.update(below + above)
        return frozenset(used)

    def selector(self, edges: Iterable[float]) -> str:
        """A matcher of `le` for these edges and the last one, in either spelling of Prometheus."""
        spelled = (
            re.escape(self._known[edge].removesuffix(".0")) + r"(\.0)?" for edge in sorted(edges)
        )
        return f'le=~"{quoted("|".join((*spelled, chr(92) + "+Inf")))}"'

    def deciding(self, limits: Mapping[str, float]) -> dict[str, tuple[float, float]] | NoSample:
        """(below, above) of each limit: equal on an edge. Nothing while there is no histogram."""
        found: dict[str, tuple[float, float]] = {}
        for name, limit in limits.items() if self._known else ():
            below, above = bracket(self._known, limit)
            if below is None or above is None:
                side = "above" if above is None else "below"
                text = seconds_text(self._latency.seconds(limit))
                return NoSample("NoBucketEdge", f"{name}: no bucket edge {side} {text}")
            found[name] = (below, above)
        return found
