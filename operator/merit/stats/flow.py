"""How much traffic there is, and whether any of it reaches the candidate.

Why it is measured once and then fixed: docs/concepts/statistics.md, "The ladder and its margins".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.stats.counts import Sample
from merit.stats.decimals import number, rounded, text

ENOUGH_SECONDS, ENOUGH_REQUESTS = 10.0, 20.0  # after which the rate is known
AT_LAST = 60.0  # seconds after which any number of requests is enough


class Flow:
    """`scrapes`: those with requests of the candidate since its weight changed. `seconds_idle`:
    since its last request. `rps`: all traffic, once it is known; it never changes after that."""

    __slots__ = ("_given", "_learnt", "_n", "_seconds", "scrapes", "seconds_idle")

    def __init__(self, rps: float | None, state: Mapping[str, Any] | None = None) -> None:
        self._given = rps
        self._learnt = number(state["rps"]) if state else 0.0
        self._n = number(state["n"]) if state else 0.0
        self._seconds = number(state["seconds"]) if state else 0.0
        self.seconds_idle = number(state["quiet"]) if state else 0.0
        self.scrapes = int(number(state["looks"])) if state else 0

    @property
    def rps(self) -> float:
        """Requests per second of both arms; 0 while it is not known."""
        return self._given or self._learnt

    def add(self, sample: Sample, seconds: float, *, weight_changed: bool) -> None:
        """One scrape."""
        pairs = sample.signals.values()
        candidate = max((pair.candidate.n for pair in pairs), default=0.0)
        both = max((pair.candidate.n + pair.stable.n for pair in pairs), default=0.0)
        self.seconds_idle = 0.0 if candidate > 0 else rounded(self.seconds_idle + seconds)
        self.scrapes = (0 if weight_changed else self.scrapes) + (1 if candidate > 0 else 0)
        if self.rps:
            return
        self._n, self._seconds = rounded(self._n + both), rounded(self._seconds + seconds)
        enough = self._n >= ENOUGH_REQUESTS and self._seconds >= ENOUGH_SECONDS
        if enough or (self._n > 0 and self._seconds >= AT_LAST):
            # Fixed from here on: a margin that moved would be chosen after seeing the data.
            self._learnt = max(0.001, rounded(self._n / self._seconds))

    def to_status(self) -> dict[str, Any]:
        """A few numbers as strings."""
        return {
            "rps": text(self._learnt),
            "n": text(self._n),
            "seconds": text(self._seconds),
            "quiet": text(self.seconds_idle),
            "looks": self.scrapes,
        }
