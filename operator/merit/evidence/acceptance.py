"""The score for "is it proven good enough?": the formula turned round, one per ladder step."""

from __future__ import annotations

import math
from collections.abc import Sequence

from merit.evidence.counts import Counts
from merit.evidence.rounding import packed, rounded, text, unpacked
from merit.evidence.score import CEILING, FLOOR, SCALE, bounded, log_add, log_bet

MEMORY = 2000.0  # requests after which stable's rate is forgotten
PRIOR = 100.0  # requests that the first guess of stable's rate weighs
U_LEAST, U_MOST = 0.02, 0.95
_TINY = 1e-300


class StableRate:
    """Stable's share of bad requests from *earlier* scrapes, forgetting over about 2,000 requests.

    It begins with a guess (`prior`), because a bet must be placed before anything is known; a wrong
    guess makes a proof slower, never wrong.
    """

    __slots__ = ("bad", "n")

    def __init__(self, prior: float, state: str | None = None) -> None:
        self.n, self.bad = PRIOR, rounded(PRIOR * prior, 6)
        if state is not None:
            self.n, self.bad = unpacked(state, 2)

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return self.bad / self.n

    def add(self, stable: Counts) -> None:
        """Remember one more scrape; to be called after every bet of that scrape."""
        n, bad = self.n + stable.n, self.bad + stable.bad
        kept = min(1.0, MEMORY / n)
        self.n, self.bad = rounded(n * kept), rounded(bad * kept, 6)

    def to_status(self) -> str:
        """Requests and bad ones."""
        return f"{text(self.n)} {text(self.bad, 6)}"


class Acceptance:
    """ "Its share is below stable's + margin" as one score per margin; 20 is a proof at 95 %.

    70 % of the money bets from the start, the rest is released over ten minutes, so that one early
    blip is forgiven. `pace` is nats per second over the last scrapes: only for the forecast.
    """

    __slots__ = ("idle", "logs", "pace", "phi")

    def __init__(self, steps: int, *, phi: float, state: str | None = None) -> None:
        self.phi = phi
        if state is None:
            self.idle = 0.3
            self.logs = [rounded(math.log(1 - self.idle))] * steps
            self.pace = [0.0] * steps
        else:
            numbers = unpacked(state, 2 * steps + 1)
            self.logs, self.pace, self.idle = numbers[:steps], numbers[steps:-1], numbers[-1]

    def update(
        self,
        candidate: Counts,
        stable: Counts,
        *,
        seconds: float,
        margins: Sequence[float],
        p: float,
        memory: float,
    ) -> None:
        """One scrape. `p`: stable's share before it; `memory`: seconds that pace averages over."""
        release = min(1.0, seconds / SCALE)
        start = math.log(self.idle * release + _TINY)
        self.idle = rounded(self.idle * (1 - release), 6)
        keep = min(1.0, seconds / memory)
        for i, m in enumerate(margins):
            u = min(U_MOST, max(U_LEAST, p / (p + m)))
            gain = log_bet(u, 1.0, m, candidate, stable) / self.phi
            if seconds > 0:
                moved = max(FLOOR, min(CEILING, gain)) / seconds
                self.pace[i] = rounded(self.pace[i] + (moved - self.pace[i]) * keep, 4)
            self.logs[i] = bounded(log_add(self.logs[i], start) + gain)

    def log_e(self, step: int) -> float:
        """ln of the score for entering this ladder step."""
        return log_add(self.logs[step], math.log(self.idle + _TINY))

    def to_status(self) -> str:
        """Per step its logarithm, then per step the pace, then the money that waits."""
        numbers = f"{packed(self.logs)} {packed(self.pace, 4)}".strip()
        return f"{numbers} {text(self.idle, 6)}".strip()
