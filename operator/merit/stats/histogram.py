"""Histograms and class counters as counts per bin: what drift is measured on.

Quantiles are for display only: verdicts count requests beyond a limit. See
docs/concepts/statistics.md, "Drift".
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from merit.stats.decimals import number, packed, rounded, unpacked

Edge = float | str  # the upper edge of a bin (math.inf for the last), or the name of a class
MAX_BINS = 20  # beyond that neighbours are merged, or rare classes
OTHER_CLASS = "(other)"  # the class of all classes that have no bin of their own


@dataclass(frozen=True, slots=True)
class Histogram:
    """Observations per bin. `edges`: upper edges in order, or classes; `counts`: as many, >= 0."""

    edges: tuple[Edge, ...]
    counts: tuple[float, ...]

    @property
    def n(self) -> float:
        """All observations."""
        return sum(self.counts)

    @property
    def ordered(self) -> bool:
        """Bins of a number rather than classes."""
        return not any(isinstance(edge, str) for edge in self.edges)

    def __add__(self, other: Histogram) -> Histogram:
        """Both together; classes may differ. ValueError if edges do."""
        if not self.ordered and not other.ordered:
            totals = dict(zip(self.edges, self.counts, strict=True))
            for name, count in zip(other.edges, other.counts, strict=True):
                totals[name] = totals.get(name, 0.0) + count
            return from_classes({str(name): count for name, count in totals.items()})
        if self.edges != other.edges:
            raise ValueError("histograms with different bins do not add up")
        return Histogram(
            self.edges, tuple(a + b for a, b in zip(self.counts, other.counts, strict=True))
        )

    def rebinned(self, edges: Sequence[Edge]) -> Histogram | None:
        """The same observations in coarser bins; None if one of those edges is not among these.

        A class without a bin of its own counts as other.
        """
        if not self.ordered:
            mine = dict(zip(self.edges, self.counts, strict=True))
            rest = sum(v for k, v in mine.items() if k not in edges)
            if rest and OTHER_CLASS not in edges:
                return None
            kept = {k: mine.get(k, 0.0) + (rest if k == OTHER_CLASS else 0.0) for k in edges}
            return Histogram(tuple(edges), tuple(kept.values()))
        if not set(edges) <= set(self.edges):
            return None
        counts, total = [], 0.0
        for edge, count in zip(self.edges, self.counts, strict=True):
            total += count
            if edge in edges:
                counts.append(total)
                total = 0.0
        return Histogram(tuple(edges), tuple(counts))

    def to_status(self) -> dict[str, Any]:
        """Edges as they are, counts as one string."""
        edges = ["+Inf" if e == math.inf else e for e in self.edges]
        return {"edges": edges, "counts": packed(self.counts)}


def restored(state: Mapping[str, Any]) -> Histogram:
    """What `Histogram.to_status` gave. Raises ValueError, KeyError or TypeError."""
    edges = tuple(math.inf if e == "+Inf" else e if isinstance(e, str) else number(e)
                  for e in state["edges"])  # fmt: skip
    return Histogram(edges, tuple(unpacked(state["counts"], len(edges))))


def from_buckets(cumulative: Mapping[float, float]) -> Histogram | None:
    """A Prometheus histogram's increases: observations at or below each edge.

    What decreases from one edge to the next (a torn scrape) counts as 0. None without the last
    edge, infinity: such a histogram is incomplete.
    """
    edges = sorted(cumulative)
    if not edges or not math.isinf(edges[-1]) or any(map(math.isnan, cumulative.values())):
        return None
    counts, below = [], 0.0
    for edge in edges:
        counts.append(rounded(max(0.0, cumulative[edge] - below)))
        below = max(below, cumulative[edge])
    return Histogram(tuple(edges), tuple(counts))


def from_classes(counts: Mapping[str, float]) -> Histogram:
    """Class counters work like bins; one more bin takes classes that are not known yet."""
    known = sorted(name for name in counts if name != OTHER_CLASS)
    values = [rounded(max(0.0, counts[name])) for name in known]
    return Histogram(
        (*known, OTHER_CLASS), (*values, rounded(max(0.0, counts.get(OTHER_CLASS, 0.0))))
    )


def coarse_edges(reference: Histogram, most: int = MAX_BINS) -> tuple[Edge, ...]:
    """At most so many edges, chosen by the reference alone: the emptiest neighbours are merged."""
    if not reference.ordered:
        named = [pair for pair in zip(reference.counts, reference.edges, strict=True)
                 if pair[1] != OTHER_CLASS]  # fmt: skip
        kept = {edge for _, edge in sorted(named, key=lambda pair: -pair[0])[: most - 1]}
        return (*(edge for _, edge in named if edge in kept), OTHER_CLASS)
    return _merged(reference.edges, reference.counts, most)


def _merged(edges: Sequence[Edge], counts: Sequence[float], most: int) -> tuple[Edge, ...]:
    """The upper edges that are left. A heap of neighbours: a histogram may have any length."""
    held, last = list(counts), len(edges) - 1
    left, right = list(range(-1, last)), list(range(1, last + 2))  # the bins beside each bin
    pairs = [(held[i] + held[i + 1], i, i + 1) for i in range(last)]
    heapq.heapify(pairs)
    alive = set(range(last + 1))
    while len(alive) > most:
        both, first, second = heapq.heappop(pairs)
        current = first in alive and right[first] == second
        if not current or both != held[first] + held[second]:
            continue  # one of them has been merged since
        held[first], right[first] = both, right[second]
        alive.discard(second)
        if right[first] <= last:
            left[right[first]] = first
            heapq.heappush(pairs, (both + held[right[first]], first, right[first]))
        if left[first] >= 0:
            heapq.heappush(pairs, (held[left[first]] + both, left[first], first))
    return tuple(edges[right[i] - 1] for i in sorted(alive))


def quantile(q: float, buckets: Mapping[float, float]) -> str | None:
    """The q-quantile as people read it: `183ms`, `>= 10s` beyond the top edge, None without data.

    `buckets` maps an upper edge in seconds (math.inf for the last) to requests at or below it.
    Between two edges the value is interpolated, as everywhere.
    """
    edges = sorted(buckets)
    if not edges or not math.isinf(edges[-1]) or buckets[edges[-1]] <= 0:
        return None
    rank = q * buckets[edges[-1]]
    below, seen = 0.0, 0.0
    for edge in edges:
        if buckets[edge] >= rank:
            if math.isinf(edge):
                return f">= {format_seconds(below)}" if below > 0 else None
            inside = buckets[edge] - seen
            part = (rank - seen) / inside if inside > 0 else 1.0
            return format_seconds(below + (edge - below) * max(0.0, min(1.0, part)))
        below, seen = edge, max(seen, buckets[edge])
    return None


def format_seconds(seconds: float) -> str:
    """`0.5ms`, `120ms`, `1.2s`, `90s`."""
    if seconds < 0.01:
        return f"{seconds * 1000:.1f}".rstrip("0").rstrip(".") + "ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms"
    return f"{seconds:.1f}".removesuffix(".0") + "s"
