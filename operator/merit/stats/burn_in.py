"""Burn-in: the first day of a promoted revision becomes the baseline of its own drift.

See docs/concepts/statistics.md, "Drift".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from merit.stats.decimals import number, rounded, text
from merit.stats.drift import REFERENCE_FLOOR
from merit.stats.histogram import Histogram, restored

SAMPLES = 20_000.0
SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class BurnIn:
    """A baseline that grows from `since` (Unix seconds) until it is frozen.

    It is frozen at 20,000 samples, or after a day as soon as it has the 5,000 that a baseline
    needs. From then on nothing changes it: the revision is compared with its own beginning.
    """

    since: float
    until: float
    histogram: Histogram | None = None

    @property
    def frozen(self) -> bool:
        """Whether it may be compared with."""
        n = self.histogram.n if self.histogram else 0.0
        return n >= SAMPLES or (n >= REFERENCE_FLOOR and self.until - self.since >= SECONDS)

    def add(self, increases: Histogram, at: float) -> BurnIn:
        """With the observations since `until`. Other edges mean another server: start again."""
        at = rounded(at)
        if self.frozen or at <= self.until:
            return self
        if self.histogram is None:
            return replace(self, until=at, histogram=increases)
        try:
            return replace(self, until=at, histogram=self.histogram + increases)
        except ValueError:
            return BurnIn(since=self.until, until=at, histogram=increases)

    def to_status(self) -> dict[str, Any]:
        """Plain numbers and one histogram."""
        histogram = self.histogram.to_status() if self.histogram else None
        return {"since": text(self.since), "until": text(self.until), "histogram": histogram}


def begin(at: float) -> BurnIn:
    """No observation yet, at the moment of a promotion."""
    return BurnIn(since=rounded(at), until=rounded(at))


def restore(state: Mapping[str, Any]) -> BurnIn:
    """What `to_status` gave. Raises ValueError if it is something else."""
    try:
        stored = state["histogram"]
        return BurnIn(
            since=number(state["since"]),
            until=number(state["until"]),
            histogram=restored(stored) if stored else None,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"stored baseline does not fit: {error!r}") from error
