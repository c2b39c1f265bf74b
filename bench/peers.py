"""The published decision rules of other tools, re-implemented on the same synthetic traffic.

They are rules with documented settings, not the products: what Flagger, Argo Rollouts and Kayenta
decide from the counts of each interval, and how their weights advance. `Rule.step` takes the counts
of five seconds and answers with the weight that follows; 0 is a rollback.

    python -m bench.peers --runs 200
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import mean, median
from typing import Protocol

from bench.plans import RPS, plan_at, service_of
from merit.simulate.scenarios import DEFECTS, HEALTHY, TICK, Scenario
from merit.simulate.service import ERRORS, Service
from merit.simulate.traffic import TickCounts, Traffic

HORIZON, SEED = 3600.0, 20261126
MINUTE = 12  # ticks
ROLLED_BACK = 0.0


class Rule(Protocol):
    """A decision rule with its ladder."""

    weight: float

    def step(self, tick: TickCounts) -> float: ...


@dataclass
class Window:
    """Counts of the last ticks, checked every so often."""

    ticks: int
    kept: deque[TickCounts] = field(default_factory=deque)
    seen: int = 0

    def full(self, tick: TickCounts) -> bool:
        """Add a tick; True when a check is due."""
        self.kept.append(tick)
        if len(self.kept) > self.ticks:
            self.kept.popleft()
        self.seen += 1
        return self.seen % self.ticks == 0

    def breaches(self, limits: tuple[float, ...]) -> bool:
        """The canary's share is beyond a limit, or it had no request at all."""
        n = sum(t.n[0] for t in self.kept)
        bad = [sum(t.bad[i][0] for t in self.kept) for i in range(len(limits))]
        return n == 0 or any(b > limit * n for b, limit in zip(bad, limits, strict=True))


class Flagger:
    """Canary analysis: interval, threshold, stepWeight, maxWeight.

    Failed checks add up over the run; at the threshold the next interval rolls back. A failed check
    halts the advance of the weight.
    """

    def __init__(self, limits: tuple[float, ...], threshold: int, step: float, most: float) -> None:
        self._limits, self._threshold, self._step, self._most = limits, threshold, step, most
        self._window, self._failed, self.weight = Window(MINUTE), 0, step

    def step(self, tick: TickCounts) -> float:
        """One tick."""
        if self._window.full(tick):
            if self._failed >= self._threshold:
                return ROLLED_BACK
            if self._window.breaches(self._limits):
                self._failed += 1
            elif self.weight >= self._most - 1e-9:
                self.weight = 1.0
            else:
                self.weight = min(self._most, self.weight + self._step)
        return self.weight


class Argo:
    """An AnalysisRun beside timed steps: it fails when failed checks exceed failureLimit."""

    def __init__(self, limits: tuple[float, ...], limit: int, minutes: float) -> None:
        self._limits, self._limit, self._each = limits, limit, minutes * 60
        self._window, self._failed, self._t = Window(MINUTE), 0, 0.0
        self.weight = 0.2

    def step(self, tick: TickCounts) -> float:
        """One tick."""
        if self._window.full(tick) and self._window.breaches(self._limits):
            self._failed += 1
        if self._failed > self._limit:
            return ROLLED_BACK
        self._t += TICK
        self.weight = min(1.0, 0.2 * (1 + math.floor(self._t / self._each)))
        return self.weight


class Kayenta:
    """Mann-Whitney on the shares of 15 s, judged every 5 min, beside steps of 10, 25 and 50 %.

    NetflixACAJudge: "High" if the lower confidence bound (98 %) of the shift between canary and
    baseline exceeds a quarter of its estimate.
    """

    def __init__(self, bars: int) -> None:
        self._scrape = Window(3)
        self._series: list[tuple[list[float], list[float]]] = [([], []) for _ in range(bars)]
        self._t, self.weight = 0.0, 0.1

    def step(self, tick: TickCounts) -> float:
        """One tick."""
        if self._scrape.full(tick):
            for i, (mine, theirs) in enumerate(self._series):
                for arm, series in ((0, mine), (1, theirs)):
                    n = sum(t.n[arm] for t in self._scrape.kept)
                    if n:
                        series.append(sum(t.bad[i][arm] for t in self._scrape.kept) / n)
        self._t += TICK
        if self._t % 300 == 0:
            if any(_high(mine, theirs) for mine, theirs in self._series):
                return ROLLED_BACK
            self.weight = {1: 0.25, 2: 0.5}.get(round(self._t / 300), 1.0)
        return self.weight


def _high(mine: list[float], theirs: list[float]) -> bool:
    if not mine or not theirs or (not any(mine) and not any(theirs)):
        return False
    m, n = len(mine), len(theirs)
    shifts = sorted(a - b for a in mine for b in theirs)
    low = max(0, math.floor(m * n / 2 - 2.326 * math.sqrt(m * n * (m + n + 1) / 12)))
    return shifts[min(low, len(shifts) - 1)] > 0.25 * abs(shifts[len(shifts) // 2])


def rules(service: Service) -> dict[str, Callable[[], Rule]]:
    """By the name that the tables use."""
    limits = tuple(bar.limit for bar in service.bars)
    return {
        "Flagger, 1m, threshold 10, step 5": lambda: Flagger(limits, 10, 0.05, 0.50),
        "Flagger, 1m, threshold 5, step 10": lambda: Flagger(limits, 5, 0.10, 0.50),
        "Argo Rollouts, failureLimit 0": lambda: Argo(limits, 0, 2),
        "Argo Rollouts, failureLimit 3": lambda: Argo(limits, 3, 10),
        "Kayenta, Mann-Whitney, 5m": lambda: Kayenta(len(limits)),
    }


@dataclass(frozen=True, slots=True)
class Fate:
    """`caught`: seconds until the rollback, None if there was none."""

    caught: float | None
    bad: int


def follow(rule: Rule, scenario: Scenario, service: Service, rps: float, seed: str) -> Fate:
    """One rollout under a rule; what is promoted goes on to serve until the horizon."""
    traffic, weight, bad = Traffic(scenario, service, rps, seed), rule.weight, 0
    about = 1 if scenario.slower != 1.0 else [b.name for b in service.bars].index(ERRORS)
    done = False
    for tick in range(round(HORIZON / TICK)):
        happened = traffic.step(tick * TICK, weight)
        bad += happened.bad[about][0]
        if done:
            continue
        weight = rule.step(happened)
        if weight == ROLLED_BACK:
            late = traffic.step((tick + 1) * TICK, rule.weight)  # until the route has followed
            return Fate((tick + 1) * TICK, bad + late.bad[about][0])
        done = weight >= 1.0
        if done and not scenario.defective:
            break
    return Fate(None, bad)


def main() -> int:
    """Print false rollbacks and caught defects of every rule."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="rollouts a cell")
    runs = parser.parse_args().runs
    service = service_of(plan_at(20))
    print("| rule | 2 rps | 20 rps | 200 rps | 2000 rps | cells > 1 % |\n|---|---|---|---|---|---|")
    for name, make in rules(service).items():
        cells, over = [], 0
        for rps in RPS:
            shares = [
                mean(
                    follow(
                        make(), scenario, service, rps, f"{SEED}/{scenario.name}/{rps}/{i}"
                    ).caught
                    is not None
                    for i in range(runs)
                )
                for scenario in HEALTHY
            ]
            over += sum(share > 0.01 for share in shares)
            cells.append(f"{100 * mean(shares):.1f} ({100 * max(shares):.0f})")
        print(f"| {name} | {' | '.join(cells)} | {over} |", flush=True)
    print("\n| defect, Flagger 1m, threshold 10 | 2 rps | 20 rps | 200 rps | 2000 rps |")
    print("|---|---|---|---|---|")
    make = rules(service)["Flagger, 1m, threshold 10, step 5"]
    for scenario in DEFECTS:
        cells = []
        for rps in RPS:
            fates = [
                follow(make(), scenario, service, rps, f"{SEED}/{scenario.name}/{rps}/{i}")
                for i in range(runs)
            ]
            caught = [f.caught for f in fates if f.caught is not None]
            when = f" · {median(caught) / 60:.1f}m" if caught else ""
            bad = mean(f.bad for f in fates)
            cells.append(f"{100 * len(caught) / runs:.0f} %{when} · **{bad:,.0f}**")
        print(f"| {scenario.name} | {' | '.join(cells)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
