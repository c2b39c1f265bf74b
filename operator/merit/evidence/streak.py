"""Signals without counts: a threshold, and how long its value has been beyond it.

A number that a query returns says nothing of the requests behind it, so no error rate can be
stated. What is asked instead is that it stays beyond the bar.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from merit.evidence.rounding import number, rounded, text

LOOKS = 3
GAP = 600.0  # seconds without a value after which what came before is forgotten


@dataclass(frozen=True, slots=True)
class Threshold:
    """The bar of such a signal: at least `least`, at most `most`; None is no bound."""

    least: float | None = None
    most: float | None = None

    def beyond(self, value: float | None) -> bool | None:
        """Whether the value breaks the bar; None if there is no number to tell from."""
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
    """Consecutive looks beyond the bar. `since`, `last`: instants of the first and newest look."""

    looks: int = 0
    since: float = 0.0
    last: float = 0.0

    def look(self, beyond: bool | None, at: float) -> Streak:
        """One more look, at Prometheus' time `at`.

        The same instant twice is one look. No value changes nothing, unless none came for so long
        that the looks before it are history.
        """
        at = rounded(at)
        if beyond is None or at <= self.last:
            return self
        if not beyond:
            return Streak(last=at)
        if self.looks == 0 or at - self.last > GAP:
            return Streak(looks=1, since=at, last=at)
        return Streak(looks=self.looks + 1, since=self.since, last=at)

    def lasting(self, patience: float, *, looks: int = LOOKS) -> bool:
        """Beyond for so many looks in a row that span at least `patience` seconds."""
        return self.looks >= looks and self.last - self.since >= patience

    def breaks(self, threshold: Threshold, patience: float) -> bool:
        """Whether the bar is broken: at once where nothing is tolerated, else when it lasts."""
        if threshold.zero_tolerance:
            return self.looks > 0
        return self.lasting(patience)

    def to_status(self) -> dict[str, str]:
        """Three numbers as strings."""
        return {"looks": text(self.looks), "since": text(self.since), "last": text(self.last)}


def restore(state: Mapping[str, Any]) -> Streak:
    """What `to_status` gave. ValueError if it is something else."""
    try:
        looks = int(number(state["looks"]))
        return Streak(looks=looks, since=number(state["since"]), last=number(state["last"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"stored streak does not fit: {error!r}") from error
