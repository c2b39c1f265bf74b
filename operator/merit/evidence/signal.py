"""One signal of a canary: its scores, and the counts that they rest on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from merit.evidence.acceptance import Acceptance, StableRate
from merit.evidence.counts import ArmPair, Counts
from merit.evidence.rounding import number, packed, rounded, text, unpacked
from merit.evidence.score import Evidence, bets_for
from merit.evidence.terms import Terms


@dataclass(frozen=True, slots=True)
class Bar:
    """A declared constraint as counts see it.

    `name`: "errors", or "latency/p99". `limit`: share of bad requests that is tolerated
    (errors.max; 1 - q for a quantile). `text`: the bar as declared, for people ("1%", "120ms").
    """

    name: str
    limit: float
    text: str = ""

    @property
    def latency(self) -> bool:
        """Slowness rather than failure."""
        return self.name.startswith("latency")


class SignalScores:
    """Relative, bar, guard and acceptance scores of one signal, and stable's own bar score."""

    __slots__ = (
        "accept", "bad_below", "bar", "candidate", "guard", "over", "rate", "relative", "scoring",
        "spec", "stable",
    )  # fmt: skip

    def __init__(
        self, spec: Bar, terms: Terms, signals: int, state: Mapping[str, Any] | None = None
    ) -> None:
        """`signals`: how many share the mark."""
        self.spec = spec
        self.scoring = (
            terms.priced(number(state["phi"]), number(state["patience"]), signals)
            if state
            else terms.scoring(spec.name, signals)
        )
        worse: Mapping[str, Any] = state["worse"] if state else {}

        def score(name: str, r: float, d: float) -> Evidence:
            return Evidence(
                r, d, scoring=self.scoring, bets=bets_for(spec.limit),
                state=worse[name] if state else None,
            )  # fmt: skip

        constants = terms.constants
        self.relative = score("relative", 1 + constants.tolerance, constants.slack)
        self.bar = score("bar", 0.0, spec.limit)
        self.guard = score("guard", 1.0, 0.0)
        self.over = score("stable", 0.0, spec.limit)
        self.accept = Acceptance(
            len(terms.ladder), phi=self.scoring.phi, state=state["proven"] if state else None
        )
        self.rate = StableRate(spec.limit / 2, state["stableRate"] if state else None)
        self.candidate = _counts(state["canary"]) if state else Counts()
        self.stable = _counts(state["stable"]) if state else Counts()
        self.bad_below = number(state["below"]) if state else 0.0

    def update(
        self,
        pair: ArmPair,
        *,
        seconds: float,
        weight_changed: bool,
        margins: tuple[float, ...],
        memory: float,
    ) -> None:
        """One scrape. `margins` is empty while the traffic is not known yet."""
        for score in (self.relative, self.bar, self.guard):
            score.update(
                pair.candidate, pair.stable, seconds=seconds, weight_changed=weight_changed
            )
        self.over.update(pair.stable, Counts(), seconds=seconds, weight_changed=weight_changed)
        if margins:
            self.accept.update(
                pair.candidate_below,
                pair.stable_below,
                seconds=seconds,
                margins=margins,
                p=self.rate.share,
                memory=memory,
            )
        self.rate.add(pair.stable_below)
        self.candidate = _add(self.candidate, pair.candidate)
        self.stable = _add(self.stable, pair.stable)
        self.bad_below = rounded(self.bad_below + pair.candidate_below.bad)

    def guarded(self, mark: float) -> bool:
        """The candidate is shown to be worse than stable at all."""
        return self.guard.log_e() >= math.log(mark)

    def parts(self, mark: float) -> tuple[float, float]:
        """ln of the relative score, and of the bar score (no money at all without the guard)."""
        return self.relative.log_e(), self.bar.log_e() if self.guarded(mark) else -math.inf

    def stable_breaks(self, mark: float) -> bool:
        """Stable breaks the bar itself."""
        return self.over.log_e() >= math.log(mark)

    def inside(self) -> bool:
        """The candidate's share, as it was seen, is inside the bar."""
        return self.candidate.n > 0 and self.candidate.bad <= self.spec.limit * self.candidate.n

    def between_edges(self) -> bool:
        """Whether the limit lies between two bucket edges and requests fell in between."""
        return self.bad_below > self.candidate.bad

    def to_status(self) -> dict[str, Any]:
        """Everything that a verdict needs, as strings."""
        return {
            "name": self.spec.name,
            "phi": text(self.scoring.phi),
            "patience": text(self.scoring.patience),
            "canary": _told(self.candidate),
            "stable": _told(self.stable),
            "below": text(self.bad_below),
            "stableRate": self.rate.to_status(),
            "worse": {
                "relative": self.relative.to_status(),
                "bar": self.bar.to_status(),
                "guard": self.guard.to_status(),
                "stable": self.over.to_status(),
            },
            "proven": self.accept.to_status(),
        }


def _add(total: Counts, more: Counts) -> Counts:
    return Counts(n=rounded(total.n + more.n), bad=rounded(total.bad + more.bad))


def _counts(state: Any) -> Counts:
    n, bad = unpacked(state, 2)
    return Counts(n=n, bad=bad)


def _told(counts: Counts) -> str:
    return packed((counts.n, counts.bad))
