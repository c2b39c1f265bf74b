"""How much traffic there is, and whether any of it reaches the candidate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.evidence.counts import Sample
from merit.evidence.rounding import number, rounded, text

ENOUGH_SECONDS, ENOUGH_REQUESTS = 10.0, 20.0  # after which the traffic counts as known
AT_LAST = 60.0  # seconds after which any requests at all must do


class Flow:
    """`looks`: scrapes with requests of the candidate since its weight changed. `quiet`: seconds
    without one. `rps`: all traffic, once it is known; it never changes after that."""

    __slots__ = ("_given", "_learnt", "_n", "_seconds", "looks", "quiet")

    def __init__(self, rps: float | None, state: Mapping[str, Any] | None = None) -> None:
        self._given = rps
        self._learnt = number(state["rps"]) if state else 0.0
        self._n = number(state["n"]) if state else 0.0
        self._seconds = number(state["seconds"]) if state else 0.0
        self.quiet = number(state["quiet"]) if state else 0.0
        self.looks = int(number(state["looks"])) if state else 0

    @property
    def rps(self) -> float:
        """Requests per second of both arms; 0 while it is not known."""
        return self._given or self._learnt

    def add(self, sample: Sample, seconds: float, *, weight_changed: bool) -> None:
        """One scrape."""
        pairs = sample.signals.values()
        mine = max((pair.candidate.n for pair in pairs), default=0.0)
        both = max((pair.candidate.n + pair.stable.n for pair in pairs), default=0.0)
        self.quiet = 0.0 if mine > 0 else rounded(self.quiet + seconds)
        self.looks = (0 if weight_changed else self.looks) + (1 if mine > 0 else 0)
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
            "quiet": text(self.quiet),
            "looks": self.looks,
        }
