"""Signals without counts: a threshold, and for how long a value has been beyond it.

A number that a query returns does not say on how many requests it rests, so no error rate can be
stated. Instead it must stay beyond the threshold: docs/concepts/statistics.md, "Signals without
counts".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from merit.stats.decimals import rounded

MIN_VALUES = 3
GAP = 600.0  # seconds without a value after which the values before it are forgotten


@dataclass(frozen=True, slots=True)
class Threshold:
    """The bar of such a signal: at least `least`, at most `most`; None is no bound."""

    least: float | None = None
    most: float | None = None

    def beyond(self, value: float | None) -> bool | None:
        """Whether the value breaks the bar; None if there is no number to compare."""
        if value is None or math.isnan(value):
            return None
        low = self.least is not None and value < self.least
        return low or (self.most is not None and value > self.most)

    @property
    def zero_tolerance(self) -> bool:
        """`max: "0"`: one event is enough."""
        return self.most == 0


@dataclass(frozen=True, slots=True)
class Streak:
    """Consecutive values beyond the bar. `since`, `last`: time of the first and the newest one."""

    values: int = 0
    since: float = 0.0
    last: float = 0.0

    def add(self, beyond: bool | None, at: float) -> Streak:
        """One more value, at Prometheus' time `at`.

        The same instant twice is one value. A missing value (None) changes nothing, unless values
        are missing for longer than GAP.
        """
        at = rounded(at)
        if beyond is None or at <= self.last:
            return self
        if not beyond:
            return Streak(last=at)
        if self.values == 0 or at - self.last > GAP:
            return Streak(values=1, since=at, last=at)
        return Streak(values=self.values + 1, since=self.since, last=at)

    def breaks(self, threshold: Threshold, patience: float) -> bool:
        """Whether the bar is broken: at once where nothing is tolerated.

        Else when enough values in a row are beyond it, over at least `patience` seconds.
        """
        if threshold.zero_tolerance:
            return self.values > 0
        return self.values >= MIN_VALUES and self.last - self.since >= patience
