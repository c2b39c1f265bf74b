"""The terms on which one candidate is judged: set before its first request, then fixed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from merit.evidence.constants import Constants
from merit.evidence.ladder import margin
from merit.evidence.rounding import rounded
from merit.evidence.score import BETS, Scoring


@dataclass(frozen=True, slots=True)
class Terms:
    """What the scores of a candidate share.

    `ladder`: weights in percent. `confidence`, `blast_radius`: shares. `rps`: all traffic in
    requests per second, None if the first requests must tell. `phi`: measured dispersion per
    signal; a signal without one takes the cautious value, and more patience. `guard_mark`: how
    surely worse than stable before a bar counts.
    """

    ladder: tuple[int, ...]
    confidence: float
    blast_radius: float
    constants: Constants
    guard_mark: float
    rps: float | None = None
    phi: Mapping[str, float] = field(default_factory=dict)

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
    ) -> Terms:
        """A candidate that earns its traffic step by step."""
        return cls(
            ladder, confidence, blast_radius, constants, constants.guard_mark, rps, phi or {}
        )

    @classmethod
    def of_probe(
        cls, *, confidence: float, constants: Constants, phi: Mapping[str, float] | None = None
    ) -> Terms:
        """A promoted revision beside its predecessor, after an alarm.

        Nothing is to be proven, so there is no ladder. An alarm comes on bad days, too: the guard
        is as high as the confidence itself, or the model would be blamed for what both suffer.
        """
        guard = max(constants.guard_mark, 1 / (1 - confidence))
        return cls((), confidence, 0.0, constants, guard, None, phi or {})

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
        return margin(self.ladder[step], blast_radius=self.blast_radius, rps=rps)

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
