"""Many rollouts of one kind, and what they come to."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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
    are medians in seconds, None where nothing came to that end; `promoted_late` is the 95th
    percentile.
    """

    kind: Kind
    runs: int
    rolled_back: int
    promoted: int
    signal: str
    bad: float
    caught_after: float | None
    promoted_after: float | None
    promoted_late: float | None
    reasons: tuple[str, ...]
    example: str

    @property
    def undecided(self) -> int:
        """Neither promoted nor rolled back at the horizon."""
        return self.runs - self.rolled_back - self.promoted


def study(
    plan: Plan,
    service: Service,
    kind: Kind,
    *,
    runs: int,
    seed: int,
    horizon: float,
    measured: bool = True,
    done: Callable[[], None] = lambda: None,
) -> Cell:
    """So many rollouts. The same seed gives the same answer, whatever else is simulated.

    `measured`: stable's own pods told the dispersion; otherwise the cautious value applies.
    `done` is called after each.
    """
    phis = [_phi(plan, service, kind, f"{seed}/{kind.name}/{plan.rps}/{i}")
            for i in range(min(runs, HISTORIES))] if measured else [{}]  # fmt: skip
    courses: list[Course] = []
    for i in range(runs):
        courses.append(
            run(
                plan,
                service,
                kind,
                phi=phis[i % len(phis)],
                seed=f"{seed}/{kind.name}/{plan.rps}/run/{i}",
                horizon=horizon,
            )
        )
        done()
    return summary(kind, courses, focus(service, kind))


def focus(service: Service, kind: Kind) -> str:
    """The bar that a kind of traffic is about."""
    strictest = service.strictest
    if strictest and (kind.slower != 1.0 or all(bar.latency for bar in service.bars)):
        return strictest.name
    return ERRORS


def summary(kind: Kind, courses: Sequence[Course], signal: str) -> Cell:
    """Of one or more courses."""
    caught = [c.ended for c in courses if c.ending == "rolled back" and c.ended is not None]
    promoted = sorted(c.promoted for c in courses if c.promoted is not None)
    last = next((c.message for c in courses if c.ending == "rolled back"), "")
    return Cell(
        kind=kind,
        runs=len(courses),
        rolled_back=len(caught),
        promoted=len(promoted),
        signal=signal,
        bad=mean(c.bad[signal] for c in courses),
        caught_after=median(caught) if caught else None,
        promoted_after=median(promoted) if promoted else None,
        promoted_late=promoted[math.ceil(len(promoted) * 0.95) - 1] if promoted else None,
        reasons=tuple(sorted({c.reason for c in courses if c.ending == "rolled back"})),
        example=last,
    )


def _phi(plan: Plan, service: Service, kind: Kind, seed: str) -> dict[str, float]:
    told = history(kind, service, plan.rps, seed)
    found = {name: dispersion(counts) for name, counts in told.items()}
    return {name: phi for name, phi in found.items() if phi is not None}
