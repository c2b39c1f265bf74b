"""Quantiles from cumulative buckets, for display only: verdicts count requests beyond a limit."""

from __future__ import annotations

import math
from collections.abc import Mapping


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
                return f">= {seconds_text(below)}" if below > 0 else None
            inside = buckets[edge] - seen
            part = (rank - seen) / inside if inside > 0 else 1.0
            return seconds_text(below + (edge - below) * max(0.0, min(1.0, part)))
        below, seen = edge, max(seen, buckets[edge])
    return None


def seconds_text(seconds: float) -> str:
    """`0.5ms`, `120ms`, `1.2s`, `90s`."""
    if seconds < 0.01:
        return f"{seconds * 1000:.1f}".rstrip("0").rstrip(".") + "ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms"
    return f"{seconds:.1f}".removesuffix(".0") + "s"
