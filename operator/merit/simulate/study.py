"""Many rollouts of one kind, and what they come to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import mean, median

from merit.evidence.dispersion import dispersion
from merit.simulate.kinds import Kind
from merit.simulate.plan import Plan
from merit.simulate.rollout import Course, run
from merit.simulate.service import ERRORS, Service
from merit.simulate.traffic import history

HISTORIES = 12  # of stable's pods, that the rollouts of one study take turns with


@dataclass(frozen=True, slots=True)
class Cell:
    """What became of `runs` rollouts of one kind.

    `signal`: the bar whose bad requests are counted in `bad`, their mean until the horizon. Times
    are medians in seconds, None where nothing came to that end; what turns once it is promoted is
    caught so many seconds after it turned. `promoted_late` is the 95th
    percentile. `promoted`: and serving at the horizon; `after_promotion`: rolled back only once it
    served all traffic. `reached`: when each weight was entered. `typical`: which run to show.
    """

    kind: Kind
    runs: int
    rolled_back: int
    after_promotion: int
    promoted: int
    signal: str
    bad: float
    caught_after: float | None
    promoted_after: float | None
    promoted_late: float | None
    reached: dict[int, float]
    typical: int
    message: str

    @property
    def undecided(self) -> int:
        """Neither promoted nor rolled back at the horizon."""
        return self.runs - self.rolled_back - self.promoted


@dataclass(frozen=True, slots=True)
class Study:
    """Rollouts of one kind. The same seed gives the same ones, whatever else is simulated.

    `measured`: stable's own pods told the dispersion; otherwise the cautious value applies.
    `horizon`: seconds after which it is broken off.
    """

    plan: Plan
    service: Service
    kind: Kind
    seed: int
    horizon: float
    measured: bool = True

    def courses(self, runs: Iterable[int], *, picture: bool = False) -> Iterator[Course]:
        """The rollouts with these numbers, one after the other."""
        phis: dict[int, dict[str, float]] = {}
        for i in runs:
            told = i % HISTORIES
            if told not in phis:
                phis[told] = self._phi(told) if self.measured else {}
            yield run(
                self.plan,
                self.service,
                self.kind,
                phi=phis[told],
                seed=f"{self._seed}/run/{i}",
                horizon=self.horizon,
                picture=picture,
            )

    def cell(self, courses: Sequence[Course]) -> Cell:
        """What they came to; `courses` in the order of their numbers, from 0."""
        caught = {i: c.ended for i, c in enumerate(courses) if c.ending == "rolled back"}
        promoted = {i: c.promoted for i, c in enumerate(courses) if c.ending == "promoted"}
        times = sorted(t - self.kind.turns for t in caught.values() if t is not None)
        done = sorted(t for t in promoted.values() if t is not None)
        shown = caught if len(caught) >= len(promoted) else promoted
        ranked = sorted(shown, key=lambda i: shown[i] or 0.0)
        first = next((c.message for c in courses if c.ending == "rolled back"), "")
        return Cell(
            kind=self.kind,
            runs=len(courses),
            rolled_back=len(caught),
            after_promotion=sum(courses[i].promoted is not None for i in caught),
            promoted=len(promoted),
            signal=self.signal,
            bad=mean(c.bad[self.signal] for c in courses),
            caught_after=median(times) if times else None,
            promoted_after=median(done) if done else None,
            promoted_late=done[math.ceil(len(done) * 0.95) - 1] if done else None,
            reached=_reached(courses),
            typical=ranked[len(ranked) // 2] if ranked else 0,
            message=first,
        )

    @property
    def signal(self) -> str:
        """The bar that this kind of traffic is about."""
        strictest = self.service.strictest
        errors = any(bar.name == ERRORS for bar in self.service.bars)
        if strictest and (self.kind.slower != 1.0 or not errors):
            return strictest.name
        return ERRORS

    @property
    def _seed(self) -> str:
        return f"{self.seed}/{self.kind.name}/{self.plan.rps}"

    def _phi(self, number: int) -> dict[str, float]:
        told = history(self.kind, self.service, self.plan.rps, f"{self._seed}/pods/{number}")
        found = {name: dispersion(counts) for name, counts in told.items()}
        return {name: phi for name, phi in found.items() if phi is not None}


def _reached(courses: Sequence[Course]) -> dict[int, float]:
    """When each weight was entered, by most of the rollouts that entered it."""
    weights = sorted({weight for c in courses for weight in c.reached})
    return {w: median(c.reached[w] for c in courses if w in c.reached) for w in weights}
