"""Dispersion: how much burstier than independent requests a service's bad requests are.

One client's retries or one long pause make many bad requests in one pod at once. It is measured on
the stable revision's own pods before a rollout, and fixed for all of it.
Sources: docs/concepts/statistics.md, "Dispersion" (Wedderburn; McCullagh and Nelder).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from merit.stats.counts import Counts

BLOCK_MINUTES = (1, 5)  # a burst may outlast a minute
MIN_MINUTES = 60  # in which two pods served: less is no history
SAFETY = 1.1
PRIOR, PRIOR_WEIGHT = 1.5, 5.0  # a few bad requests say little: then 1.5 is assumed, not 1
HISTORY = 6 * 3600.0  # seconds before a rollout that are measured


@dataclass(frozen=True, slots=True)
class PodCounts:
    """One signal of one revision's pods, minute by minute, oldest first.

    `pods` maps a pod to its requests in each minute; all have the same length. A minute in which a
    pod did not exist, or was not scraped, is None: it is left out, not taken for 0 requests.
    """

    pods: Mapping[str, Sequence[Counts | None]]


def dispersion(history: PodCounts) -> float | None:
    """phi >= 1.1, or None without a history of two pods over an hour.

    Pods are compared within a block, so that what they share (a wave of traffic, a failing
    dependency) cancels, as it does between the arms of a canary.
    """
    rows = list(history.pods.values())
    minutes = min((len(row) for row in rows), default=0)
    compared = sum(
        sum((cell := row[i]) is not None and cell.n > 0 for row in rows) >= 2
        for i in range(minutes)
    )
    if compared < MIN_MINUTES:
        return None
    return SAFETY * max(1.0, *(_index(rows, minutes, size) for size in BLOCK_MINUTES))


def _index(rows: Sequence[Sequence[Counts | None]], minutes: int, size: int) -> float:
    """Pearson's dispersion index: the variance between pods over what independent requests would
    have, in blocks of `size` minutes.
    """
    squares = expected = 0.0
    for start in range(0, minutes - size + 1, size):
        cells = [_total(row[start : start + size]) for row in rows]
        known = [cell for cell in cells if cell is not None and cell.n > 0]
        n, bad = sum(c.n for c in known), sum(c.bad for c in known)
        if len(known) < 2 or bad <= 0:
            continue
        for cell in known:
            share = cell.n / n
            squares += (cell.bad - bad * share) ** 2
            expected += bad * share * (1 - share)
    return (squares + PRIOR_WEIGHT * PRIOR) / (expected + PRIOR_WEIGHT)


def _total(cells: Sequence[Counts | None]) -> Counts | None:
    """Of a whole block; None if one minute of it is unknown."""
    known = [cell for cell in cells if cell is not None]
    if len(known) < len(cells):
        return None
    return Counts(n=sum(c.n for c in known), bad=sum(c.bad for c in known))
