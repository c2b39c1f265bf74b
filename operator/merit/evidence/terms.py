"""The terms on which one candidate is judged: set before its first request, then fixed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from merit.evidence.constants import Constants
from merit.evidence.ladder import margin
from merit.evidence.rounding import number, rounded, text
from merit.evidence.score import BETS, Scoring

OTHER = 2.0  # a scrape interval longer or shorter by more than this is another measurement


@dataclass(frozen=True, slots=True)
class Terms:
    """What the scores of a candidate share.

    `ladder`: weights in percent. `confidence`, `blast_radius`: shares. `rps`: all traffic in
    requests per second, None if the first requests must tell. `phi`: measured dispersion per
    signal; a signal without one takes the cautious value, and more patience. `guard_mark`: how
    surely worse than stable before a bar counts. `source`: whose series are counted.
    """

    ladder: tuple[int, ...]
    confidence: float
    blast_radius: float
    constants: Constants
    guard_mark: float
    rps: float | None = None
    phi: Mapping[str, float] = field(default_factory=dict)
    source: str = ""

    @classmethod
    def of_rollout(
        cls,
        ladder: tuple[int, ...],
        *,
        confidence: float,
        blast_radius: float,
        constants: Constants,
        rps: float | None = None,
        phi: Mapping[str, float] | None = None,
        source: str = "",
    ) -> Terms:
        """A candidate that earns its traffic step by step."""
        mark = constants.guard_mark
        return cls(ladder, confidence, blast_radius, constants, mark, rps, phi or {}, source)

    @classmethod
    def of_probe(
        cls,
        *,
        confidence: float,
        constants: Constants,
        phi: Mapping[str, float] | None = None,
        source: str = "",
    ) -> Terms:
        """A promoted revision beside its predecessor, after an alarm.

        Nothing is to be proven, so there is no ladder. An alarm comes on bad days, too: the guard
        is as high as the confidence itself, or the model would be blamed for what both suffer.
        """
        guard = max(constants.guard_mark, 1 / (1 - confidence))
        return cls((), confidence, 0.0, constants, guard, None, phi or {}, source)

    def measured_otherwise(self, state: Mapping[str, Any]) -> str:
        """Why stored evidence cannot go on under these terms, as words; empty if it can.

        What one scrape may bring is priced by the interval, and counts of two sources are not
        counts of one: evidence of both together would have no error rate. Raises KeyError or
        ValueError if the state says neither.
        """
        before, now = number(state["scrape"]), self.constants.scrape
        if state["source"] != self.source:
            return f"it is measured by {self.source or 'nothing'}, before by {state['source']}"
        if max(before, now) > OTHER * min(before, now):
            return f"scrapes are {text(now)}s apart, before {text(before)}s"
        return ""

    @property
    def mark(self) -> float:
        """ln of what the combined score must reach."""
        return -math.log(1 - self.confidence)

    @property
    def proof(self) -> float:
        """ln of what an acceptance score must reach."""
        return -math.log(1 - self.constants.promote_confidence)

    def margin(self, step: int, rps: float) -> float:
        """Excess share of bad requests that must be ruled out to enter a step (an index)."""
        return margin(self.ladder, step, blast_radius=self.blast_radius, rps=rps)

    def scoring(self, signal: str, signals: int) -> Scoring:
        """For one of so many signals, from what was measured."""
        phi = self.phi.get(signal)
        if phi is None:
            constants = self.constants
            return self.priced(constants.phi_unmeasured, constants.patience_unmeasured, signals)
        return self.priced(phi, self.constants.patience, signals)

    def priced(self, phi: float, patience: float, signals: int) -> Scoring:
        """The same from values that are already fixed."""
        # Nats with which one bet decides alone: the average is over two scores a signal, over the
        # bets, and half of the money waits for a late start.
        need = self.mark + math.log(2 * len(BETS) * max(1, 2 * signals))
        return Scoring(
            phi=rounded(max(1.0, phi)),
            patience=rounded(patience),
            burst=need * max(1 / 3, self.constants.scrape / patience),
            refill=need * 2 / 3 / patience,
        )
