"""Many rollouts of one scenario, and their summary."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import mean, median

from merit.simulate.plan import Plan
from merit.simulate.rollout import Outcome, simulate_rollout
from merit.simulate.scenarios import Scenario
from merit.simulate.service import ERRORS, Service
from merit.simulate.traffic import pod_history
from merit.stats.dispersion import dispersion

HISTORIES = 12  # of stable's pods, from which dispersion is measured; the rollouts share them


@dataclass(frozen=True, slots=True)
class StudyResult:
    """The summary of `runs` rollouts of one scenario.

    `promoted`: those that serve at the horizon. `after_promotion`: those that were rolled back
    after their promotion. `signal`: the bar that the scenario is about; `bad`: the mean count of
    bad requests by that bar. Times are medians in seconds, None without such an outcome;
    `caught_after` counts from when the defect began. `promoted_late`: the 95th percentile.
    `reached`: when each weight was entered. `typical`: number of the run to draw.
    """

    scenario: Scenario
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
        """How many were neither promoted nor rolled back at the horizon."""
        return self.runs - self.rolled_back - self.promoted


@dataclass(frozen=True, slots=True)
class Study:
    """Rollouts of one scenario. They depend only on its fields, not on what else is simulated.

    `measured`: the dispersion is measured on stable's pods; otherwise the conservative value
    applies. `horizon`: seconds after which a rollout is cut off.
    """

    plan: Plan
    service: Service
    scenario: Scenario
    seed: int
    horizon: float
    measured: bool = True

    def rollouts(self, runs: Iterable[int], *, snapshots: bool = False) -> Iterator[Outcome]:
        """Simulate the runs with these numbers. `snapshots`: record points for a chart."""
        phi_of = cache(self._phi)
        for i in runs:
            yield simulate_rollout(
                self.plan,
                self.service,
                self.scenario,
                phi=phi_of(i % HISTORIES) if self.measured else {},
                seed=f"{self._seed}/run/{i}",
                horizon=self.horizon,
                snapshots=snapshots,
            )

    def summarise(self, rollouts: Sequence[Outcome]) -> StudyResult:
        """The summary. `rollouts`: in the order of their numbers, from 0."""
        caught = {i: c.ended for i, c in enumerate(rollouts) if c.ending == "rolled back"}
        promoted = {i: c.promoted for i, c in enumerate(rollouts) if c.ending == "promoted"}
        times = sorted(t - self.scenario.defect_after for t in caught.values() if t is not None)
        done = sorted(t for t in promoted.values() if t is not None)
        shown = caught if len(caught) >= len(promoted) else promoted
        ranked = sorted(shown, key=lambda i: shown[i] or 0.0)
        first = next((c.message for c in rollouts if c.ending == "rolled back"), "")
        return StudyResult(
            scenario=self.scenario,
            runs=len(rollouts),
            rolled_back=len(caught),
            after_promotion=sum(rollouts[i].promoted is not None for i in caught),
            promoted=len(promoted),
            signal=self.signal,
            bad=mean(c.bad[self.signal] for c in rollouts),
            caught_after=median(times) if times else None,
            promoted_after=median(done) if done else None,
            promoted_late=done[math.ceil(len(done) * 0.95) - 1] if done else None,
            reached=_reached(rollouts),
            typical=ranked[len(ranked) // 2] if ranked else 0,
            message=first,
        )

    @property
    def signal(self) -> str:
        """The bar that this scenario is about."""
        strictest = self.service.strictest
        errors = any(bar.name == ERRORS for bar in self.service.bars)
        if strictest and (self.scenario.slower != 1.0 or not errors):
            return strictest.name
        return ERRORS

    @property
    def _seed(self) -> str:
        return f"{self.seed}/{self.scenario.name}/{self.plan.rps}"

    def _phi(self, number: int) -> dict[str, float]:
        history = pod_history(
            self.scenario, self.service, self.plan.rps, f"{self._seed}/pods/{number}"
        )
        measured = {name: dispersion(counts) for name, counts in history.items()}
        return {name: phi for name, phi in measured.items() if phi is not None}


def _reached(rollouts: Sequence[Outcome]) -> dict[int, float]:
    """For each weight, the median time at which it was entered."""
    weights = sorted({weight for c in rollouts for weight in c.reached})
    return {w: median(c.reached[w] for c in rollouts if w in c.reached) for w in weights}
