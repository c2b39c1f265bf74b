"""Simulates one rollout from its first step to its end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from merit.api.defaults import effective
from merit.simulate.cluster import BEGIN, ROUTING, SimulatedCluster
from merit.simulate.plan import Plan
from merit.simulate.scenarios import TICK, Scenario
from merit.simulate.service import Service
from merit.simulate.traffic import TickCounts, Traffic
from merit.stats.counts import ArmPair, Counts, Sample

Ending = Literal["promoted", "rolled back", "withdrawn", "held"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """For the chart: seconds since the start, weight in percent, log e-value against it."""

    t: float
    weight: int
    evidence: float


@dataclass(slots=True)
class Outcome:
    """The outcome of one rollout. Times are seconds since the candidate had its first traffic.

    `ended`: when it was promoted, rolled back or withdrawn, whichever came last. `promoted` stays
    set if it was rolled back after that. `reached`: when each weight was entered. `bad`: its bad
    requests until the horizon, by bar; if the defect begins after the promotion, from then on.
    """

    ending: Ending = "held"
    ended: float | None = None
    reason: str = ""
    message: str = ""
    promoted: float | None = None
    reached: dict[int, float] = field(default_factory=dict)
    bad: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    snapshots: list[Snapshot] = field(default_factory=list)


def simulate_rollout(
    plan: Plan,
    service: Service,
    scenario: Scenario,
    *,
    phi: Mapping[str, float],
    seed: int | str,
    horizon: float,
    snapshots: bool = False,
) -> Outcome:
    """One rollout under this scenario, until `horizon` seconds after its start.

    `phi`: measured dispersion by signal; without one the conservative value applies. A defective
    version that is promoted goes on to serve and is monitored; a healthy one is finished then.
    """
    traffic = Traffic(scenario, service, plan.rps, seed)
    cluster, rollout = _start(plan, phi, scenario)
    scrape = max(1, round(plan.constants.scrape / TICK))
    finished, total = False, _empty(plan)
    for tick in range(round(horizon / TICK)):
        t = tick * TICK
        cluster.apply_pending(t)
        if finished and not cluster.pending:
            break
        counts = traffic.step(t, cluster.weight / 100)
        if t >= scenario.defect_after:
            rollout.requests += counts.n[0]
            for bar, (mine, _) in zip(plan.bars, counts.bad, strict=True):
                rollout.bad[bar.name] += mine
        total = _added(total, counts)
        if finished or (tick + 1) % scrape:
            continue
        _scrape(cluster, total, t + TICK, scrape * TICK)
        total = _empty(plan)
        if snapshots:
            rollout.snapshots.append(_snapshot(cluster, t + TICK))
        finished = _record(rollout, cluster, t + TICK)
        finished = finished or (
            rollout.ending == "promoted" and not scenario.defective and not scenario.defect_after
        )
    return rollout


def _start(
    plan: Plan, phi: Mapping[str, float], scenario: Scenario
) -> tuple[SimulatedCluster, Outcome]:
    """The state at time 0: the first request, or the promotion if the defect begins after it."""
    cluster = SimulatedCluster(plan, phi, promoted=scenario.defect_after > 0)
    rollout = Outcome(bad={bar.name: 0 for bar in plan.bars})
    first = Sample(BEGIN, None, {})
    if scenario.defect_after:
        cluster.decide(0.0, live=first)
        rollout.ending, rollout.ended, rollout.promoted = "promoted", 0.0, 0.0
        rollout.reason = "Promoted"
        return cluster, rollout
    cluster.decide(0.0, sample=first)
    cluster.apply_pending(ROUTING)
    if cluster.status.candidate is not None:
        rollout.reached[cluster.status.candidate.weight] = 0.0
    return cluster, rollout


def _scrape(cluster: SimulatedCluster, total: TickCounts, now: float, seconds: float) -> None:
    """One scrape, as the operator gets it: of a canary, of live traffic, or of a comparison."""
    at, since = BEGIN + now, BEGIN + now - seconds
    sample = Sample(at, since, _pairs(cluster.plan, total.n, total.bad))
    if not cluster.promoted_and_serving:
        cluster.decide(now, sample=sample)
        return
    alone = _pairs(cluster.plan, (0, total.n[0]), tuple((0, mine) for mine, _ in total.bad))
    comparison, comparison_sample = cluster.status.comparison, None
    if comparison is not None and comparison.stage == "Comparing":
        comparison_sample = sample if comparison.analysis else Sample(at, None, {})
    cluster.decide(now, live=Sample(at, since, alone), comparison=comparison_sample)


def _record(rollout: Outcome, cluster: SimulatedCluster, now: float) -> bool:
    """Record what was decided. True if nothing more can happen to the version."""
    status, candidate = cluster.status, cluster.status.candidate
    if candidate is not None and candidate.stage != "Withdrawn":
        if candidate.weight:
            rollout.reached.setdefault(candidate.weight, now)
        return False
    if status.rejected:
        entry = status.rejected[0]
        rollout.ending, rollout.ended = "rolled back", now
        rollout.reason, rollout.message = entry.reason, entry.evidence
        return True
    if candidate is not None:
        stage = status.stage("Rollout")
        rollout.ending, rollout.ended = "withdrawn", now
        rollout.reason = stage.reason if stage else ""
        return True
    if rollout.promoted is None:
        rollout.ending, rollout.ended, rollout.promoted = "promoted", now, now
        rollout.reason = "Promoted"
        rollout.reached[100] = now
    return False


def _snapshot(cluster: SimulatedCluster, now: float) -> Snapshot:
    """A point of the chart. After a rejection the log e-value is gone: it was at the threshold."""
    status = cluster.status
    analysis = status.analysis if status.candidate else None
    if status.comparison is not None:
        analysis = status.comparison.analysis
    if status.rejected:
        evidence = -math.log(1 - effective(cluster.plan.spec).confidence)
    else:
        evidence = float(analysis.evidence) if analysis else 0.0
    return Snapshot(now, cluster.intended, evidence)


def _empty(plan: Plan) -> TickCounts:
    return TickCounts((0, 0), ((0, 0),) * len(plan.bars))


def _added(a: TickCounts, b: TickCounts) -> TickCounts:
    return TickCounts(
        (a.n[0] + b.n[0], a.n[1] + b.n[1]),
        tuple((x[0] + y[0], x[1] + y[1]) for x, y in zip(a.bad, b.bad, strict=True)),
    )


def _pairs(plan: Plan, n: tuple[int, int], bad: tuple[tuple[int, int], ...]) -> dict[str, ArmPair]:
    pairs: dict[str, ArmPair] = {}
    for bar, (mine, theirs) in zip(plan.bars, bad, strict=True):
        candidate, stable = Counts(n[0], mine), Counts(n[1], theirs)
        pairs[bar.name] = ArmPair(candidate, stable, candidate, stable)
    return pairs
