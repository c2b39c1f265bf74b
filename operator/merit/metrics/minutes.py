"""Counters at full minutes, turned into what each pod served minute by minute. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from merit.evidence.counts import Counts
from merit.evidence.dispersion import PodCounts
from merit.metrics.answer import Series

MINUTE = 60.0


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


def minutes(rows: Iterable[Row]) -> PodCounts:
    """Every pod's counts in each minute that the rows span; None where a pod has no requests."""
    grown = [(row, _grown(row.series)) for row in rows]
    known = {minute for row, more in grown if row.requests for minute in more}
    if not known:
        return PodCounts({})
    span = range(min(known), max(known) + 1)
    pods = sorted({row.pod for row, _ in grown})
    return PodCounts(
        {pod: [_cell(minute, [g for g in grown if g[0].pod == pod]) for minute in span]
         for pod in pods}
    )  # fmt: skip


def _cell(minute: int, rows: list[tuple[Row, dict[int, float]]]) -> Counts | None:
    if not any(row.requests and minute in grown for row, grown in rows):
        return None
    n = sum(row.requests * grown.get(minute, 0.0) for row, grown in rows)
    bad = sum(row.bad * grown.get(minute, 0.0) for row, grown in rows)
    return Counts(n=n, bad=min(n, max(0.0, bad)))


def _grown(series: Series) -> dict[int, float]:
    """By minute: how much the counter grew in it; a value that drops is a restart."""
    values = {round(at / MINUTE): value for at, value in series.samples}
    grown = {}
    for minute, value in values.items():
        before = values.get(minute - 1)
        if before is not None:
            grown[minute] = value - before if value >= before else value
    return grown
