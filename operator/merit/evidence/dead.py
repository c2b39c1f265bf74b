"""Dead on arrival: when most requests of the candidate fail, nobody waits for a score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.evidence.counts import Counts
from merit.evidence.rounding import number, rounded, text

SHARE = 0.5  # of the candidate's requests fail
SECONDS = 10.0
FAILURES = 10.0  # times phi: a plain 10 blames innocents for one burst


class DeadWindow:
    """How long, and on how many requests, the candidate has been failing while stable was not."""

    __slots__ = ("bad", "n", "seconds")

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        self.seconds = number(state["seconds"]) if state else 0.0
        self.n = number(state["n"]) if state else 0.0
        self.bad = number(state["bad"]) if state else 0.0

    def update(self, candidate: Counts, stable: Counts, *, seconds: float) -> None:
        """One scrape. Without requests of both arms it says nothing and the window stands still."""
        if candidate.n <= 0 or stable.n <= 0:
            return
        share = candidate.bad / candidate.n
        if share < SHARE or stable.bad / stable.n >= SHARE * share:
            self.seconds = self.n = self.bad = 0.0
            return
        self.seconds = rounded(self.seconds + seconds)
        self.n = rounded(self.n + candidate.n)
        self.bad = rounded(self.bad + candidate.bad)

    def dead(self, phi: float) -> bool:
        """At least 10 s and 10 * phi failures, all in a row."""
        return self.seconds >= SECONDS and self.bad >= FAILURES * phi

    def to_status(self) -> dict[str, Any]:
        """Three numbers as strings."""
        return {"seconds": text(self.seconds), "n": text(self.n), "bad": text(self.bad)}
