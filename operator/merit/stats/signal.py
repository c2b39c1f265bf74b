"""One signal of a candidate: its e-processes, and the counts that they rest on.

Which e-processes there are, and why: docs/concepts/statistics.md, "From evidence to a verdict".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from merit.stats.counts import ArmPair, Counts
from merit.stats.decimals import number, packed, rounded, text, unpacked
from merit.stats.e_process import EProcess, bets_for
from merit.stats.non_inferiority import NonInferiority, StableRate
from merit.stats.terms import Terms


@dataclass(frozen=True, slots=True)
class Bar:
    """A declared constraint, as a share of bad requests.

    `name`: "errors", or "latency/p99". `limit`: share of bad requests that is tolerated
    (errors.max; 1 - q for a quantile). `text`: the bar as declared, for people ("1%", "120ms").
    """

    name: str
    limit: float
    text: str = ""

    @property
    def latency(self) -> bool:
        """Whether bad means slow, rather than failed."""
        return self.name.startswith("latency")


class SignalEvidence:
    """The e-processes of one signal. The candidate's share is worse than stable's beyond tolerance
    (`relative`), beyond the bar (`bar`), worse than stable's at all (`guard`), not worse by a
    margin (`non_inferiority`); stable's own share is beyond the bar (`stable_bar`).
    """

    __slots__ = (
        "bad_below", "bar", "betting", "candidate", "guard", "non_inferiority", "relative", "spec",
        "stable", "stable_bar", "stable_rate",
    )  # fmt: skip

    def __init__(
        self, spec: Bar, terms: Terms, signals: int, state: Mapping[str, Any] | None = None
    ) -> None:
        """`signals`: how many share the threshold."""
        self.spec = spec
        self.betting = (
            terms.betting_with(number(state["phi"]), number(state["patience"]), signals)
            if state
            else terms.betting(spec.name, signals)
        )
        worse: Mapping[str, Any] = state["worse"] if state else {}

        def e_process(name: str, r: float, d: float) -> EProcess:
            return EProcess(
                r, d, betting=self.betting, bets=bets_for(spec.limit),
                state=worse[name] if state else None,
            )  # fmt: skip

        constants = terms.constants
        self.relative = e_process("relative", 1 + constants.tolerance, constants.slack)
        self.bar = e_process("bar", 0.0, spec.limit)
        self.guard = e_process("guard", 1.0, 0.0)
        self.stable_bar = e_process("stable", 0.0, spec.limit)
        self.non_inferiority = NonInferiority(
            len(terms.ladder), phi=self.betting.phi, state=state["proven"] if state else None
        )
        self.stable_rate = StableRate(spec.limit / 2, state["stableRate"] if state else None)
        self.candidate = Counts(*unpacked(state["canary"], 2)) if state else Counts()
        self.stable = Counts(*unpacked(state["stable"], 2)) if state else Counts()
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
        """One scrape. `margins`: one per step of the ladder; empty while the traffic is unknown."""
        for each in (self.relative, self.bar, self.guard):
            each.update(pair.candidate, pair.stable, seconds=seconds, weight_changed=weight_changed)
        self.stable_bar.update(
            pair.stable, Counts(), seconds=seconds, weight_changed=weight_changed
        )
        if margins:
            self.non_inferiority.update(
                pair.candidate_below,
                pair.stable_below,
                seconds=seconds,
                margins=margins,
                p=self.stable_rate.share,
                memory=memory,
            )
        self.stable_rate.add(pair.stable_below)
        self.candidate += pair.candidate
        self.stable += pair.stable
        self.bad_below = rounded(self.bad_below + pair.candidate_below.bad)

    def worse_than_stable(self, guard: float) -> bool:
        """Whether the candidate is worse than stable at all: an e-value of `guard` says so."""
        return self.guard.log_e() >= math.log(guard)

    def log_e_values(self, guard: float) -> tuple[float, float]:
        """ln of the relative e-value, and of the bar's, which is 0 (-inf) below the guard."""
        guarded = self.worse_than_stable(guard)
        return self.relative.log_e(), self.bar.log_e() if guarded else -math.inf

    def stable_breaks_bar(self, guard: float) -> bool:
        """Whether stable itself breaks the bar."""
        return self.stable_bar.log_e() >= math.log(guard)

    def inside_bar(self) -> bool:
        """Whether the candidate's measured share is inside the bar."""
        return self.candidate.n > 0 and self.candidate.bad <= self.spec.limit * self.candidate.n

    def between_edges(self) -> bool:
        """Whether the limit lies between two bucket edges and requests fell in between."""
        return self.bad_below > self.candidate.bad

    def to_status(self) -> dict[str, Any]:
        """Everything that a verdict needs, as strings."""
        return {
            "name": self.spec.name,
            "phi": text(self.betting.phi),
            "patience": text(self.betting.patience),
            "canary": _packed_counts(self.candidate),
            "stable": _packed_counts(self.stable),
            "below": text(self.bad_below),
            "stableRate": self.stable_rate.to_status(),
            "worse": {
                "relative": self.relative.to_status(),
                "bar": self.bar.to_status(),
                "guard": self.guard.to_status(),
                "stable": self.stable_bar.to_status(),
            },
            "proven": self.non_inferiority.to_status(),
        }


def _packed_counts(counts: Counts) -> str:
    return packed((counts.n, counts.bad))
