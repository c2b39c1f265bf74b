"""The non-inferiority e-process: "is it proven good enough for the next weight?".

The formula of `e_process` turned round: it speaks against "the candidate is worse than stable by
the margin or more". There is one for each step of the ladder.
Sources: docs/concepts/statistics.md, "The non-inferiority e-process" (Wellek; Berger).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from merit.stats.counts import Counts
from merit.stats.decimals import packed, rounded, text, unpacked
from merit.stats.e_process import (
    CEILING,
    FLOOR,
    RELEASE_SECONDS,
    bounded,
    log_add,
    log_e_increment,
)

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


class NonInferiority:
    """ "Its share is below stable's + margin": one log e-value per margin; ln 20 proves it at 95 %.

    70 % of the wealth bets from the start, the reserve is released over ten minutes, so that one
    early blip is forgiven. `pace`: the mean log e-increment per second, for the forecast only.
    """

    __slots__ = ("logs", "pace", "phi", "reserve")

    def __init__(self, steps: int, *, phi: float, state: str | None = None) -> None:
        self.phi = phi
        if state is None or len(state.split()) != 2 * steps + 1:  # of other steps: begin anew
            self.reserve = 0.3
            self.logs = [rounded(math.log(1 - self.reserve))] * steps
            self.pace = [0.0] * steps
        else:
            numbers = unpacked(state, 2 * steps + 1)
            self.logs, self.pace, self.reserve = numbers[:steps], numbers[steps:-1], numbers[-1]

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
        release = min(1.0, seconds / RELEASE_SECONDS)
        released = math.log(self.reserve * release + _TINY)
        self.reserve = rounded(self.reserve * (1 - release), 6)
        keep = min(1.0, seconds / memory)
        for i, m in enumerate(margins):
            u = min(U_MOST, max(U_LEAST, p / (p + m)))
            gain = log_e_increment(u, 1.0, m, candidate, stable) / self.phi
            if seconds > 0:
                pace = max(FLOOR, min(CEILING, gain)) / seconds
                self.pace[i] = rounded(self.pace[i] + (pace - self.pace[i]) * keep, 4)
            self.logs[i] = bounded(log_add(self.logs[i], released) + gain)

    def log_e(self, step: int) -> float:
        """ln of the e-value for entering this ladder step (an index)."""
        return log_add(self.logs[step], math.log(self.reserve + _TINY))

    def to_status(self) -> str:
        """Per step its logarithm, then per step the pace, then the reserve."""
        numbers = f"{packed(self.logs)} {packed(self.pace, 4)}".strip()
        return f"{numbers} {text(self.reserve, 6)}".strip()
