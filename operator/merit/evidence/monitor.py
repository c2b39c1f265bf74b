"""The watch after promotion: one Shiryaev-Roberts score per bar, for as long as the model serves.

A score of a rollout bets that something was wrong from some moment of an hour on. A model that
serves for months needs another promise: how seldom the watch is wrong. With the mark A a false
alarm comes no more often than once in A scrapes on average, however long it goes on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from merit.evidence import sentences
from merit.evidence.constants import Constants
from merit.evidence.counts import Counts, Sample
from merit.evidence.instants import instant, told
from merit.evidence.rounding import number, packed, rounded, text, unpacked
from merit.evidence.score import bets_for, log_add, log_bet, log_mean
from merit.evidence.signal import Bar

QUIET = 90 * 86400.0  # seconds that pass between two false alarms, on average and at least
OF_THE_WAY = 1 / 3  # of the way to the mark that one scrape may bring
FLAT = math.log(2)  # scores below this remember nothing worth telling


@dataclass(frozen=True, slots=True)
class Alarm:
    """A bar is broken, as far as one arm alone can tell; a comparison must confirm it.

    `signal`: its name. `reason`: ErrorsBreached or LatencyBreached. `message`: counts first.
    `log_r`: ln of the score.
    """

    signal: str
    reason: str
    message: str
    log_r: float


class _Score:
    """R <- (R + 1) * L for each bet, kept as ln(R + 1): 0 at the start, and never below."""

    __slots__ = ("bar", "bets", "logs", "seen")

    def __init__(self, bar: Bar, state: Mapping[str, Any] | None) -> None:
        self.bar = bar
        self.bets = bets_for(bar.limit)
        self.logs = unpacked(state["logs"], len(self.bets)) if state else [0.0] * len(self.bets)
        self.seen = Counts(number(state["n"]), number(state["bad"])) if state else Counts()

    def update(self, counts: Counts, *, phi: float, mark: float) -> None:
        top = mark + math.log(len(self.bets))  # one bet alone may alarm; more would only linger
        if max(self.logs) < FLAT:
            self.seen = Counts()  # what is told begins where the evidence does
        self.seen = Counts(rounded(self.seen.n + counts.n), rounded(self.seen.bad + counts.bad))
        for i, u in enumerate(self.bets):
            gain = min(mark * OF_THE_WAY, log_bet(u, 0.0, self.bar.limit, counts, Counts()) / phi)
            self.logs[i] = rounded(min(top, log_add(self.logs[i] + gain, 0.0)))

    def log_r(self) -> float:
        """ln of R averaged over the bets, from below: -inf while there is nothing."""
        over = log_mean(self.logs)
        return over + math.log(-math.expm1(-over)) if over > 0 else -math.inf

    def to_status(self) -> dict[str, str]:
        return {
            "name": self.bar.name,
            "logs": packed(self.logs),
            "n": text(self.seen.n),
            "bad": text(self.seen.bad),
        }


class Monitor:
    """Watches one arm that serves. Make one with `fresh` or `restore`."""

    def __init__(
        self,
        bars: Sequence[Bar],
        *,
        constants: Constants,
        phi: Mapping[str, float],
        state: Mapping[str, Any] | None,
    ) -> None:
        self._constants, self._phi = constants, phi
        kept = {s["name"]: s for s in state["signals"]} if state else {}
        self._scores = [_Score(bar, kept[bar.name] if state else None) for bar in bars]
        self.consumed_until = instant(state["consumedUntil"]) if state else None

    @classmethod
    def fresh(
        cls, bars: Sequence[Bar], *, constants: Constants, phi: Mapping[str, float] | None = None
    ) -> Monitor:
        """Nothing seen yet. `phi`: measured dispersion per signal; others take the cautious one."""
        return cls(bars, constants=constants, phi=phi or {}, state=None)

    @classmethod
    def restore(
        cls,
        state: Mapping[str, Any],
        bars: Sequence[Bar],
        *,
        constants: Constants,
        phi: Mapping[str, float] | None = None,
    ) -> Monitor:
        """What `to_status` gave, for the same bars. ValueError if it does not fit them."""
        try:
            return cls(bars, constants=constants, phi=phi or {}, state=state)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"stored watch does not fit: {error!r}") from error

    @property
    def mark(self) -> float:
        """ln A: what a score must reach."""
        return math.log(QUIET / self._constants.scrape)

    def observe(self, sample: Sample) -> None:
        """Turn one look into evidence; the arm that serves is the sample's `stable`.

        As with a rollout, a first look only sets the baseline, and nothing counts twice. A look
        without requests says nothing: not even the 1 is added, or silence would become an alarm.
        """
        if not sample.news(self.consumed_until):
            return
        self.consumed_until = rounded(sample.at)
        if sample.since is None:
            return
        for score in self._scores:
            pair = sample.signals.get(score.bar.name)
            if pair is not None and pair.stable.n > 0:
                phi = self._phi.get(score.bar.name, self._constants.phi_unmeasured)
                score.update(pair.stable, phi=max(1.0, phi), mark=self.mark)

    def alarms(self) -> tuple[Alarm, ...]:
        """The bars whose score has reached the mark, the highest first."""
        found: list[Alarm] = []
        for score in self._scores:
            log_r = score.log_r()
            if log_r >= self.mark:
                reason = "LatencyBreached" if score.bar.latency else "ErrorsBreached"
                message = sentences.alarmed(score.bar, score.seen)
                found.append(Alarm(score.bar.name, reason, message, log_r))
        return tuple(sorted(found, key=lambda alarm: -alarm.log_r))

    def alarm(self) -> Alarm | None:
        """The highest alarm, if there is one."""
        return next(iter(self.alarms()), None)

    def calm(self, signal: str) -> bool:
        """Whether the score has fallen back to half the way: an alarm that was raised is over."""
        return all(s.log_r() <= self.mark / 2 for s in self._scores if s.bar.name == signal)

    def to_status(self) -> dict[str, Any]:
        """A few numbers per bar, as strings. Losing it delays an alarm and never makes one."""
        return {
            "consumedUntil": told(self.consumed_until),
            "signals": [score.to_status() for score in self._scores],
        }
