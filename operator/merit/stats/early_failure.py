"""Early failure: when most requests of the candidate fail, the rollback does not wait for evidence.

A rule with a fixed threshold, calibrated by simulation: docs/concepts/statistics.md, "Early
failure".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.stats.counts import Counts
from merit.stats.decimals import number, rounded, text

SHARE = 0.5  # of the candidate's requests fail
SECONDS = 10.0
FAILURES = 10.0  # times phi: with 10 alone, one burst rejects healthy candidates


class EarlyFailure:
    """For how long, and on how many requests, the candidate has failed while stable did not."""

    __slots__ = ("bad", "n", "seconds")

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        self.seconds = number(state["seconds"]) if state else 0.0
        self.n = number(state["n"]) if state else 0.0
        self.bad = number(state["bad"]) if state else 0.0

    def update(self, candidate: Counts, stable: Counts, *, seconds: float) -> None:
        """One scrape. Without requests of both arms nothing changes."""
        if candidate.n <= 0 or stable.n <= 0:
            return
        share = candidate.bad / candidate.n
        if share < SHARE or stable.bad / stable.n >= SHARE * share:
            self.seconds = self.n = self.bad = 0.0
            return
        self.seconds = rounded(self.seconds + seconds)
        self.n = rounded(self.n + candidate.n)
        self.bad = rounded(self.bad + candidate.bad)

    def detected(self, phi: float) -> bool:
        """Whether it has lasted for 10 s and 10 * phi failures without a pause."""
        return self.seconds >= SECONDS and self.bad >= FAILURES * phi

    def to_status(self) -> dict[str, Any]:
        """Three numbers as strings."""
        return {"seconds": text(self.seconds), "n": text(self.n), "bad": text(self.bad)}
