"""Live monitoring: one Shiryaev-Roberts procedure per bar, for as long as the revision serves.

An e-process promises an error rate over one rollout. A revision that serves for months needs a
bound on the average run length instead: with the threshold A, the mean number of scrapes to a
false alarm is at least A. Sources: docs/concepts/statistics.md, "The Shiryaev-Roberts procedure"
(Shiryaev; Roberts; Pollak; Shin et al.).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from merit.stats import sentences
from merit.stats.counts import Counts, Sample
from merit.stats.decimals import (
    format_instant,
    number,
    packed,
    parse_instant,
    rounded,
    text,
    unpacked,
)
from merit.stats.e_process import bets_for, log_add, log_e_increments, log_mean
from merit.stats.signal import Bar
from merit.stats.terms import Constants

RUN_LENGTH = 90 * 86400.0  # seconds: the mean time to a false alarm is at least this
CAP_SHARE = 1 / 3  # of the threshold: the largest log increment of one scrape
RESET_BELOW = math.log(2)  # ln(R + 1) below which the counts in the message start again


@dataclass(frozen=True, slots=True)
class Alarm:
    """A bar is broken, as far as one arm alone can show; a comparison must confirm it.

    `signal`: its name. `reason`: ErrorsBreached or LatencyBreached. `message`: counts first.
    `log_r`: ln of the statistic R.
    """

    signal: str
    reason: str
    message: str
    log_r: float


class _Statistic:
    """R <- (R + 1) * L for each bet, kept as ln(R + 1): 0 at the start, and never below."""

    __slots__ = ("bar", "bets", "logs", "seen")

    def __init__(self, bar: Bar, state: Mapping[str, Any] | None) -> None:
        self.bar = bar
        self.bets = bets_for(bar.limit)
        self.logs = unpacked(state["logs"], len(self.bets)) if state else [0.0] * len(self.bets)
        self.seen = Counts(number(state["n"]), number(state["bad"])) if state else Counts()

    def update(self, counts: Counts, *, phi: float, threshold: float) -> None:
        """One scrape of the arm that serves."""
        # One bet alone may raise the alarm; a higher value would only take longer to fall.
        top = threshold + math.log(len(self.bets))
        if max(self.logs) < RESET_BELOW:
            self.seen = Counts()
        self.seen += counts
        increments = log_e_increments(self.bets, 0.0, self.bar.limit, counts, Counts())
        for i, increment in enumerate(increments):
            gain = min(threshold * CAP_SHARE, increment / phi)
            self.logs[i] = rounded(min(top, log_add(self.logs[i] + gain, 0.0)))

    def log_r(self) -> float:
        """ln of R averaged over the bets; -inf while R is 0."""
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
    """Monitors the arm that serves. Without a `state` there is no evidence yet."""

    def __init__(
        self,
        bars: Sequence[Bar],
        *,
        constants: Constants,
        phi: Mapping[str, float] | None = None,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        """`phi`: measured dispersion by signal; the cautious value for others."""
        self._constants, self._phi = constants, phi or {}
        stored = {s["name"]: s for s in state["signals"]} if state else {}
        self._statistics = [_Statistic(bar, stored[bar.name] if state else None) for bar in bars]
        self.consumed_until = parse_instant(state["consumedUntil"]) if state else None

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
            return cls(bars, constants=constants, phi=phi, state=state)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"stored monitor does not fit: {error!r}") from error

    @property
    def threshold(self) -> float:
        """ln A: what ln R must reach."""
        return math.log(RUN_LENGTH / self._constants.scrape)

    def observe(self, sample: Sample) -> None:
        """Turn one sample into evidence; the arm that serves is the sample's `stable`.

        As in a rollout, a first sample only sets the baseline, and nothing counts twice. A scrape
        without requests changes nothing: with the 1 added, no traffic would become an alarm.
        """
        if not sample.is_new(self.consumed_until):
            return
        self.consumed_until = rounded(sample.at)
        if sample.since is None:
            return
        for one in self._statistics:
            pair = sample.signals.get(one.bar.name)
            if pair is not None and pair.stable.n > 0:
                phi = self._phi.get(one.bar.name, self._constants.phi_unmeasured)
                one.update(pair.stable, phi=max(1.0, phi), threshold=self.threshold)

    def alarms(self) -> tuple[Alarm, ...]:
        """The bars whose statistic has reached the threshold, the highest first."""
        alarms: list[Alarm] = []
        for one in self._statistics:
            log_r = one.log_r()
            if log_r >= self.threshold:
                reason = "LatencyBreached" if one.bar.latency else "ErrorsBreached"
                message = sentences.alarmed(one.bar, one.seen)
                alarms.append(Alarm(one.bar.name, reason, message, log_r))
        return tuple(sorted(alarms, key=lambda alarm: -alarm.log_r))

    def cleared(self, signal: str) -> bool:
        """Whether ln R has fallen to half of the threshold: an alarm that was raised is over."""
        return all(
            s.log_r() <= self.threshold / 2 for s in self._statistics if s.bar.name == signal
        )

    def to_status(self) -> dict[str, Any]:
        """A few numbers per bar, as strings. Losing it delays an alarm and never makes one."""
        return {
            "consumedUntil": format_instant(self.consumed_until),
            "signals": [one.to_status() for one in self._statistics],
        }
