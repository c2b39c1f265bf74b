"""Which plans there are, and running many of them side by side on one stage."""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tests.faults.faults import OF_ALL, OF_ONE, OF_PROMETHEUS
from tests.faults.moments import moments
from tests.faults.planted import Planted
from tests.faults.run import Plan, Reference, Run
from tests.faults.scenarios import SCENARIOS
from tests.faults.stage import FaultStage

TOGETHER = 20  # plans of faults that only their own object notices
SHAKEN = 10  # plans of faults that every object notices
PROMETHEUS_AT = 6  # every so many-th write is where a Prometheus breaks: it is not about writes


@dataclass
class Campaign:
    """The runs so far. `failed`: what the stage or the log says beside the plans.

    `until`: no plan begins after that, monotonic seconds.
    """

    stage: FaultStage
    references: dict[str, Reference] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    progress: Callable[[Run], None] = lambda run: None
    until: float = math.inf

    def __post_init__(self) -> None:
        self._numbers = itertools.count()

    async def refer(self, scenarios: Iterable[str] = tuple(SCENARIOS)) -> None:
        """Play each scenario undisturbed."""
        plans = [Plan(scenario) for scenario in scenarios]
        for run in await self.play(plans, TOGETHER):
            writes = [w for w in run.writes if w.at >= run.disturbed_at and not w.measured]
            self.references[run.plan.scenario] = Reference(run.ending, run.creates, writes)

    def plans(self) -> list[Plan]:
        """Every fault at every write of every scenario."""
        found = []
        for scenario, reference in self.references.items():
            for moment in moments(reference.writes):
                found += [Plan(scenario, fault, moment) for fault in (*OF_ONE, *OF_ALL)]
                if moment.number % PROMETHEUS_AT == 0:
                    found += [Plan(scenario, fault, moment) for fault in OF_PROMETHEUS]
        return found

    async def run(self, plans: Sequence[Plan]) -> None:
        """Run them: first those that leave others alone, then the others."""
        await self.play([plan for plan in plans if plan.fault in OF_ONE], TOGETHER)
        await self.play([plan for plan in plans if plan.fault in OF_ALL], SHAKEN)
        for fault in OF_PROMETHEUS:
            await self.play([plan for plan in plans if plan.fault == fault], SHAKEN)
        self.failed += self.stage.exceptions()

    async def play(self, plans: Sequence[Plan], width: int) -> list[Run]:
        """Run them, so many at a time."""
        left, runs = iter(plans), []

        async def worker() -> None:
            for plan in left:
                if time.monotonic() > self.until:
                    return
                reference = self.references.get(plan.scenario)
                name = f"plan-{next(self._numbers):04d}"
                run = await self.stage.play(plan, name, reference)
                runs.append(run)
                self.runs.append(run)
                self.progress(run)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(width, len(plans))):
                group.create_task(worker())
        return runs

    async def find(self, bug: Planted) -> list[str]:
        """What is not right with the plans that are to find a bug, with the operator that runs."""
        began = len(self.runs)
        plans = [
            plan
            for plan in self.plans()
            if (plan.fault, plan.scenario) == (bug.fault, bug.scenario)
            and plan.moment is not None
            and bug.label in plan.moment.label
        ]
        self.stage.patience = bug.patience
        await self.play(plans, TOGETHER)
        shown = [sentence for run in self.runs[began:] for sentence in run.wrong]
        return shown + self.stage.exceptions()

    def table(self) -> str:
        """By fault: plans, those whose write never came, violations."""
        rows = [f"{'fault':26}{'plans':>7}{'not reached':>13}{'violations':>12}"]
        faults = dict.fromkeys(run.plan.fault for run in self.runs)
        totals = [0, 0, 0]
        for fault in faults:
            runs = [run for run in self.runs if run.plan.fault == fault]
            missed = sum(run.plan.moment is not None and not run.reached for run in runs)
            counts = (len(runs) - missed, missed, sum(bool(run.wrong) for run in runs))
            totals = [a + b for a, b in zip(totals, counts, strict=True)]
            rows.append(f"{fault or 'none':26}{counts[0]:>7}{counts[1]:>13}{counts[2]:>12}")
        rows.append(f"{'all':26}{totals[0]:>7}{totals[1]:>13}{totals[2]:>12}")
        return "\n".join(rows)

    def violations(self) -> list[str]:
        """Each plan that was not right, with what was wrong, and what the log says."""
        found = [f"{run.plan} ({run.namespace}): {run.wrong}" for run in self.runs if run.wrong]
        return found + self.failed
