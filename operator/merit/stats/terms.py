"""The terms on which one candidate is judged: set before its first request, then fixed.

A hypothesis or a bet that is chosen after seeing the data has no error rate. How the cap per
increment follows from confidence and patience: docs/concepts/statistics.md, "Bursts".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from merit.stats.decimals import number, packed, rounded, text
from merit.stats.e_process import BETS, Betting
from merit.stats.ladder import margin

INTERVAL_RATIO = 2.0  # a scrape interval that changed by more is another measurement


@dataclass(frozen=True, slots=True)
class Constants:
    """The constants of judgement; the operator's configuration may override them.

    Shares are fractions, times are seconds. `tolerance`, `slack`: how much worse than stable is
    still fine (r = 1 + tolerance, d = slack). `patience`: a shorter hiccup must not decide.
    `patience_unmeasured`, `phi_unmeasured`: without per-pod counts. `warmup`: latency is ignored so
    long after readiness. `promote_confidence`: of each advance. `guard_mark`: the e-value of "worse
    than stable at all" from which a bar counts. `scrape`: between two samples in Prometheus.
    """

    tolerance: float = 0.10
    slack: float = 0.001
    patience: float = 30.0
    patience_unmeasured: float = 45.0
    phi_unmeasured: float = 3.0
    warmup: float = 30.0
    promote_confidence: float = 0.95
    guard_mark: float = 20.0
    scrape: float = 15.0


@dataclass(frozen=True, slots=True)
class Terms:
    """What the e-processes of a candidate share.

    `ladder`: weights in percent; empty where nothing is to be proven, in the comparison of a
    promoted revision with its predecessor. `confidence`, `blast_radius`: shares. `rps`: all traffic
    in requests per second, None if it is measured on the first requests. `phi`: measured dispersion
    by signal; a signal without one takes the cautious value, and more patience. `source`: the
    metrics source that the counts come from.
    """

    ladder: tuple[int, ...]
    confidence: float
    constants: Constants
    blast_radius: float = 0.0
    rps: float | None = None
    phi: Mapping[str, float] | None = None
    source: str = ""

    @property
    def guard_mark(self) -> float:
        """The e-value of "worse than stable" from which a bar counts.

        An alarm may have a cause that both revisions share. So the guard of a comparison is as high
        as the confidence, or the revision would be blamed for that cause.
        """
        least = self.constants.guard_mark
        return least if self.ladder else max(least, 1 / (1 - self.confidence))

    def incompatible(self, state: Mapping[str, Any]) -> str:
        """Why stored evidence cannot continue under these terms; an empty string if it can.

        The cap per increment depends on the interval, and the counts of two sources are not
        comparable: evidence of both together would have no error rate. Raises KeyError or
        ValueError if the state has neither.
        """
        before, now = number(state["scrape"]), self.constants.scrape
        if state["source"] != self.source:
            return f"it is measured by {self.source or 'nothing'}, before by {state['source']}"
        if max(before, now) > INTERVAL_RATIO * min(before, now):
            return f"scrapes are {text(now)}s apart, before {text(before)}s"
        return ""

    @property
    def threshold(self) -> float:
        """What the combined log e-value must reach for a rollback."""
        return -math.log(1 - self.confidence)

    @property
    def proof_threshold(self) -> float:
        """What a non-inferiority log e-value must reach."""
        return -math.log(1 - self.constants.promote_confidence)

    @property
    def proof_of(self) -> str:
        """What the margins of the steps follow from. Evidence for one is none for another."""
        return packed((*self.ladder, self.blast_radius), 6)

    def margin(self, step: int, rps: float) -> float:
        """Excess share of bad requests that must be ruled out to enter a step (an index)."""
        return margin(self.ladder, step, blast_radius=self.blast_radius, rps=rps)

    def betting(self, signal: str, signals: int) -> Betting:
        """For one of so many signals, by its measured dispersion."""
        phi = (self.phi or {}).get(signal)
        if phi is None:
            constants = self.constants
            return self.betting_with(
                constants.phi_unmeasured, constants.patience_unmeasured, signals
            )
        return self.betting_with(phi, self.constants.patience, signals)

    def betting_with(self, phi: float, patience: float, signals: int) -> Betting:
        """For one of so many signals, by a dispersion and patience that are already fixed."""
        # The log e-value with which one bet decides alone: the average is over two e-processes a
        # signal, over the bets, and half of the wealth is in reserve.
        need = self.threshold + math.log(2 * len(BETS) * max(1, 2 * signals))
        return Betting(
            phi=rounded(max(1.0, phi)),
            patience=rounded(patience),
            cap=need * max(1 / 3, self.constants.scrape / patience),
            refill=need * 2 / 3 / patience,
        )
