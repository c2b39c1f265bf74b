"""Drift with a stated error rate: every bin is a bet that it holds more than its share.

Unlike PSI it may be looked at after every scrape: with nothing shifted, the score reaches 1/alpha
with probability at most alpha, ever.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from merit.evidence.bins import Histogram
from merit.evidence.counts import Counts
from merit.evidence.rounding import packed, unpacked
from merit.evidence.score import bounded, log_bet, log_mean

BETS = (1.1, 1.25, 1.5, 2.0, 4.0)  # a bin is rarely empty: ratios are small
TOLERANCE, SLACK = 1.25, 0.01  # a bin may hold a quarter more than its share, and 1 point
MOST_AT_ONCE = 3.0  # nats that one scrape may bring to a bet: one burst must not decide


class BinScore:
    """The average of all bets on all bins, against a frozen reference or a concurrent arm.

    `reference` fixes the bins, and without a concurrent arm their shares; it must not be chosen
    from the data that it judges. `phi` >= 1: dispersion, as for errors.
    """

    __slots__ = ("logs", "phi", "reference", "shares")

    def __init__(
        self, reference: Histogram, *, phi: float = 1.0, state: Mapping[str, Any] | None = None
    ) -> None:
        if reference.n <= 0:
            raise ValueError("an empty reference has no shares")
        self.reference, self.phi = reference, max(1.0, phi)
        self.shares = [c / reference.n for c in reference.counts]
        cells = len(self.shares) * len(BETS)
        self.logs = unpacked(state["logs"], cells) if state else [0.0] * cells

    def update(self, current: Histogram, concurrent: Histogram | None = None) -> bool:
        """One scrape's observations. False, and nothing changed, if the bins do not match."""
        mine = current.onto(self.reference.edges)
        theirs = concurrent.onto(self.reference.edges) if concurrent else None
        if mine is None or (concurrent is not None and theirs is None):
            return False
        r = TOLERANCE if theirs is not None else 0.0
        for i, bad in enumerate(mine.counts):
            own = Counts(mine.n, bad)
            other = Counts(theirs.n, theirs.counts[i]) if theirs is not None else Counts()
            d = SLACK if theirs is not None else TOLERANCE * self.shares[i] + SLACK
            for j, u in enumerate(BETS):
                gain = min(MOST_AT_ONCE, log_bet(u, r, d, own, other) / self.phi)
                at = i * len(BETS) + j
                self.logs[at] = bounded(self.logs[at] + gain)
        return True

    def log_e(self) -> float:
        """ln of the score: ln(1/alpha) says "shifted" with an error of alpha."""
        return log_mean(self.logs)

    def shifted(self, confidence: float) -> bool:
        """Whether the score has reached its mark."""
        return self.log_e() >= -math.log(1 - confidence)

    def fullest(self) -> int:
        """The index of the bin that grew most, for the message."""
        best = max(range(len(self.logs)), key=lambda i: self.logs[i])
        return best // len(BETS)

    def to_status(self) -> dict[str, str]:
        """One string; the reference is kept by whoever chose it."""
        return {"logs": packed(self.logs)}
