"""The e-process for "is the candidate worse?", on which a rollback rests.

An e-process is evidence against a hypothesis: it starts at 1, and while the hypothesis is true it
ever reaches 1/alpha with probability at most alpha (Ville's inequality). So it may be looked at
after every scrape, and acted on at the first scrape that convinces. It is kept as its natural
logarithm. Sources: docs/concepts/statistics.md, "The e-process" (Ville; Shafer; Ramdas et al.).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from merit.stats.counts import Counts
from merit.stats.decimals import packed, rounded, text, unpacked

BETS = (1.4, 2.0, 3.5, 7.0, 18.0, 50.0)  # ratios of the candidate's share to the tolerated one
FINE_BETS = (1.03, 1.07, 1.15, 1.3, 1.6)  # where bad requests are common, large bets only lose
COMMON = 0.25  # from this share of tolerated bad requests on, only small ratios can occur
RELEASE_SECONDS = 600.0  # over which the reserve wealth is released
RELEASE_ON_CHANGE = 0.2  # share of the reserve that a change of weight releases
CEILING = 600.0
FLOOR = -600.0  # no log e-value is stored below this, and exp() stays defined
_TINY = 1e-300


def bets_for(limit: float) -> tuple[float, ...]:
    """The bets that fit a tolerated share of bad requests."""
    return FINE_BETS if limit >= COMMON else BETS


def log_add(a: float, b: float) -> float:
    """ln(exp(a) + exp(b)), without overflow."""
    return a + math.log1p(math.exp(b - a)) if a > b else b + math.log1p(math.exp(a - b))


def bounded(log_e: float) -> float:
    """A log e-value as it is stored: between FLOOR and CEILING, rounded; NaN is no evidence."""
    if math.isnan(log_e):
        return 0.0
    if log_e < FLOOR:
        return FLOOR
    return round(log_e, 3) + 0.0 if log_e < CEILING else CEILING


def log_mean(values: Sequence[float]) -> float:
    """ln of the average of e-values given as logarithms: an e-value under any dependence.

    Without overflow. `values` must not be empty.
    """
    top = max(values)
    total = top + math.log(sum(math.exp(value - top) for value in values))
    return total - math.log(len(values))


def log_e_increment(u: float, r: float, d: float, candidate: Counts, stable: Counts) -> float:
    """`log_e_increments` of a single bet; u < 1 bets that the candidate is not worse by d."""
    return log_e_increments((u,), r, d, candidate, stable)[0]


def log_e_increments(
    bets: Sequence[float], r: float, d: float, candidate: Counts, stable: Counts
) -> list[float]:
    """ln of the factor by which one scrape multiplies each bet's e-process.

    The hypothesis is "candidate's share <= r * stable's share + d". A bet u > 1 speaks against it,
    a bet u < 1 against its opposite. Without traffic there is no evidence: 0.
    """
    n, bad = candidate.n, candidate.bad
    if n <= 0 or (r > 0 and stable.n <= 0):
        return [0.0] * len(bets)
    tolerated = d * n
    if r == 0:
        return [bad * math.log(u) - tolerated * (u - 1) for u in bets]
    ratio, stable_bad = r * n / stable.n, stable.bad
    # Stable's factor stays positive; the bound depends on n alone, so the bet stays fair.
    largest = 1 + 0.9 / ratio
    increments = []
    for u in bets:
        u = min(u, largest)
        step = u - 1
        increments.append(
            bad * math.log(u) + stable_bad * math.log1p(-ratio * step) - tolerated * step
        )
    return increments


@dataclass(frozen=True, slots=True)
class Betting:
    """How the e-processes of one signal bet.

    `phi` >= 1: the dispersion, which divides every log e-increment. `patience`: seconds that a
    hiccup must last to decide. `cap`: the largest log e-increment of a bet in one scrape while its
    allowance is full; `refill`: by how much the allowance grows back per second.
    """

    phi: float
    patience: float
    cap: float
    refill: float


class EProcess:
    """ "Is its share worse than r * stable's + d?": a mixture of bets, with reserve wealth.

    Half of the wealth bets from the start; the rest waits in `reserve` and is released over time.
    So a long healthy start does not hide a defect that begins later. `logs`: ln of each bet's
    wealth; `allowance`: what each bet may still gain.
    """

    __slots__ = ("allowance", "bets", "cap", "d", "logs", "phi", "r", "refill", "reserve")

    def __init__(
        self,
        r: float,
        d: float,
        *,
        betting: Betting,
        bets: Sequence[float] = BETS,
        state: str | None = None,
    ) -> None:
        self.r, self.d, self.phi, self.bets = r, d, betting.phi, bets
        self.cap, self.refill = rounded(betting.cap), betting.refill
        if state is None:
            self.reserve = 0.5
            self.logs = [rounded(math.log(1 - self.reserve))] * len(bets)
            self.allowance = [self.cap] * len(bets)
        else:
            numbers = unpacked(state, 2 * len(bets) + 1)
            self.logs, self.allowance = numbers[: len(bets)], numbers[len(bets) : -1]
            self.reserve = numbers[-1]

    def update(
        self, candidate: Counts, stable: Counts, *, seconds: float, weight_changed: bool = False
    ) -> None:
        """Turn the requests of the last `seconds` into evidence."""
        release = min(1.0, max(seconds / RELEASE_SECONDS, RELEASE_ON_CHANGE * weight_changed))
        released = math.log(self.reserve * release + _TINY)
        self.reserve = rounded(self.reserve * (1 - release), 6)
        refill, cap, phi = self.refill * seconds, self.cap, self.phi
        logs, allowance = self.logs, self.allowance
        increments = log_e_increments(self.bets, self.r, self.d, candidate, stable)
        for i, increment in enumerate(increments):
            left, gain = allowance[i], increment / phi
            if gain > 0:
                gain = gain if gain < left else left
                left -= gain
            logs[i] = bounded(log_add(logs[i], released) + gain)
            left += refill
            allowance[i] = round(left, 3) if left < cap else cap

    def log_e(self) -> float:
        """ln of the e-value: the average over the bets, and the reserve."""
        return log_add(log_mean(self.logs), math.log(self.reserve + _TINY))

    def to_status(self) -> str:
        """Per bet its logarithm, then per bet its allowance, then the reserve."""
        return f"{packed(self.logs)} {packed(self.allowance)} {text(self.reserve, 6)}"
