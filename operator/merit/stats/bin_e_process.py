"""Drift with a stated error rate: an e-process over the bins of a histogram.

Each bet says that one bin holds more than its tolerated share. Unlike PSI the average of all bets
may be looked at after every scrape: without a shift it ever reaches 1/alpha with probability at
most alpha. Sources: docs/concepts/statistics.md, "The e-process over bins" (Turner et al.).
"""

from __future__ import annotations

from merit.stats.counts import Counts
from merit.stats.e_process import bounded, log_e_increments, log_mean
from merit.stats.histogram import Histogram

BETS = (1.1, 1.25, 1.5, 2.0, 4.0)  # a bin is rarely empty: ratios are small
TOLERANCE, SLACK = 1.25, 0.01  # a bin may hold a quarter more than its share, and 1 point
CAP = 3.0  # the largest log e-increment of a bet in one scrape: one burst must not decide


class BinEProcess:
    """The average of all bets on all bins, against a frozen reference or a concurrent arm.

    `reference` fixes the bins, and without a concurrent arm their shares; it must not be chosen
    from the data that it judges. `phi` >= 1: dispersion, as for errors. `logs`: ln of each bet's
    wealth, all bets of the first bin first.
    """

    __slots__ = ("logs", "phi", "reference", "shares")

    def __init__(self, reference: Histogram, *, phi: float = 1.0) -> None:
        if reference.n <= 0:
            raise ValueError("an empty reference has no shares")
        self.reference, self.phi = reference, max(1.0, phi)
        self.shares = [c / reference.n for c in reference.counts]
        self.logs = [0.0] * (len(self.shares) * len(BETS))

    def update(self, current: Histogram, concurrent: Histogram | None = None) -> bool:
        """One scrape's observations. False, and nothing changed, if the bins do not match."""
        mine = current.rebinned(self.reference.edges)
        theirs = concurrent.rebinned(self.reference.edges) if concurrent else None
        if mine is None or (concurrent is not None and theirs is None):
            return False
        r = TOLERANCE if theirs is not None else 0.0
        for i, bad in enumerate(mine.counts):
            own = Counts(mine.n, bad)
            other = Counts(theirs.n, theirs.counts[i]) if theirs is not None else Counts()
            d = SLACK if theirs is not None else TOLERANCE * self.shares[i] + SLACK
            for j, increment in enumerate(log_e_increments(BETS, r, d, own, other)):
                at = i * len(BETS) + j
                self.logs[at] = bounded(self.logs[at] + min(CAP, increment / self.phi))
        return True

    def log_e(self) -> float:
        """ln of the e-value: at ln(1/alpha) the distribution is shifted, with an error of alpha."""
        return log_mean(self.logs)
