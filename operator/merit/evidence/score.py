"""One formula, and the score for "is it worse?" (rollback).

A score starts at 1 and is kept as its natural logarithm. While the arm is *not* worse, the score
reaches 1/alpha with probability at most alpha, however often and whenever one looks: that is what
lets the operator act on the first convincing scrape.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from merit.evidence.counts import Counts
from merit.evidence.rounding import packed, rounded, text, unpacked

BETS = (1.4, 2.0, 3.5, 7.0, 18.0, 50.0)  # sizes of defect that are bet on, as ratios
FINE_BETS = (1.03, 1.07, 1.15, 1.3, 1.6)  # where bad requests are common, big bets only lose
COMMON = 0.25  # from this share of tolerated bad requests on, only small ratios can occur
SCALE = 600.0  # seconds over which late-start money is released
ON_CHANGE = 0.2  # share of the money left that a change of weight releases
CEILING = 600.0
FLOOR = -600.0  # no score is remembered as worse than this, and exp() stays defined
_TINY = 1e-300


def bets_for(limit: float) -> tuple[float, ...]:
    """The bets that fit a tolerated share of bad requests."""
    return FINE_BETS if limit >= COMMON else BETS


def log_sum(values: Sequence[float]) -> float:
    """ln of the sum of exponentials, without overflow. `values` must not be empty."""
    top = max(values)
    return top + math.log(sum(math.exp(value - top) for value in values))


def log_add(a: float, b: float) -> float:
    """ln(exp(a) + exp(b)), without overflow."""
    return a + math.log1p(math.exp(b - a)) if a > b else b + math.log1p(math.exp(a - b))


def bounded(score: float) -> float:
    """A logarithm as it is remembered: between floor and ceiling, rounded as status keeps it."""
    if score < FLOOR:
        return FLOOR
    return round(score, 3) + 0.0 if score < CEILING else CEILING


def log_mean(values: Sequence[float]) -> float:
    """ln of the average of scores given as logarithms: valid under any dependence."""
    return log_sum(values) - math.log(len(values))


def log_bet(u: float, r: float, d: float, candidate: Counts, stable: Counts) -> float:
    """Nats that one scrape brings to the bet `u` about "candidate's share <= r * stable's + d".

    u > 1 bets that it is worse, u < 1 that it is not worse by d. Without traffic there is no
    evidence: 0.
    """
    if candidate.n <= 0 or (r > 0 and stable.n <= 0):
        return 0.0
    if r == 0:
        return candidate.bad * math.log(u) - d * candidate.n * (u - 1)
    ratio = r * candidate.n / stable.n
    if u > 1:
        # Stable's factor stays positive; the bound depends on n alone, so the bet stays fair.
        u = min(u, 1 + 0.9 / ratio)
    step = u - 1
    return (
        candidate.bad * math.log(u)
        + stable.bad * math.log1p(-ratio * step)
        - d * candidate.n * step
    )


def log_bets(
    bets: Sequence[float], r: float, d: float, candidate: Counts, stable: Counts
) -> list[float]:
    """`log_bet` for several bets u > 1 at once."""
    n, bad = candidate.n, candidate.bad
    if n <= 0 or (r > 0 and stable.n <= 0):
        return [0.0] * len(bets)
    tolerated = d * n
    if r == 0:
        return [bad * math.log(u) - tolerated * (u - 1) for u in bets]
    ratio, theirs = r * n / stable.n, stable.bad
    most = 1 + 0.9 / ratio
    found = []
    for u in bets:
        u = min(u, most)
        step = u - 1
        found.append(bad * math.log(u) + theirs * math.log1p(-ratio * step) - tolerated * step)
    return found


@dataclass(frozen=True, slots=True)
class Scoring:
    """How the scores of one signal bet.

    `phi` >= 1 divides every gain or loss; `patience` (seconds) is how long a hiccup must last to
    decide; `burst` is the most nats that a bet may gain at once, `refill` what it earns back per
    second.
    """

    phi: float
    patience: float
    burst: float
    refill: float


class Evidence:
    """ "Is it worse than r * stable + d?" as a score over a few bets, with late-start money.

    Half of the money bets from the start; the rest waits in `idle` and is released over time, so
    that a long healthy start does not bury a defect that comes later.
    """

    __slots__ = ("allow", "bets", "burst", "d", "idle", "logs", "phi", "r", "refill")

    def __init__(
        self,
        r: float,
        d: float,
        *,
        scoring: Scoring,
        bets: Sequence[float] = BETS,
        state: str | None = None,
    ) -> None:
        self.r, self.d, self.phi, self.bets = r, d, scoring.phi, bets
        self.burst, self.refill = rounded(scoring.burst), scoring.refill
        if state is None:
            self.idle = 0.5
            self.logs = [rounded(math.log(1 - self.idle))] * len(bets)
            self.allow = [self.burst] * len(bets)
        else:
            numbers = unpacked(state, 2 * len(bets) + 1)
            self.logs, self.allow = numbers[: len(bets)], numbers[len(bets) : -1]
            self.idle = numbers[-1]

    def update(
        self, candidate: Counts, stable: Counts, *, seconds: float, weight_changed: bool = False
    ) -> None:
        """Turn the requests of the last `seconds` into evidence."""
        release = min(1.0, max(seconds / SCALE, ON_CHANGE if weight_changed else 0.0))
        start = math.log(self.idle * release + _TINY)
        self.idle = rounded(self.idle * (1 - release), 6)
        earned, burst, phi = self.refill * seconds, self.burst, self.phi
        logs, allow = self.logs, self.allow
        for i, nats in enumerate(log_bets(self.bets, self.r, self.d, candidate, stable)):
            left, gain = allow[i], nats / phi
            if gain > 0:
                gain = gain if gain < left else left
                left -= gain
            logs[i] = bounded(log_add(logs[i], start) + gain)
            left += earned
            allow[i] = round(left, 3) if left < burst else burst

    def log_e(self) -> float:
        """ln of the score."""
        return log_add(log_mean(self.logs), math.log(self.idle + _TINY))

    def to_status(self) -> str:
        """Per bet its logarithm, then per bet what it may gain, then the money that waits."""
        return f"{packed(self.logs)} {packed(self.allow)} {text(self.idle, 6)}"
