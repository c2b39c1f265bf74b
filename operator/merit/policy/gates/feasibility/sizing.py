"""From a load report to a verdict: how many replicas the load needs, and whether that many may be.

Linear scaling is assumed: each of many replicas holds what one held in the test. Messages say so,
and the canary checks it under real traffic.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from merit.loadtest.counts import disagreement
from merit.loadtest.plan import (
    HALVINGS,
    Bar,
    Stage,
    bad_of,
    bar_verdict,
    invalid_reason,
    stage_verdict,
)
from merit.policy.gates.feasibility.demand import Demand, ceiling
from merit.policy.gates.feasibility.load_report import LoadReport
from merit.policy.state.verdict import Verdict
from merit.stats.bounds import upper_bound


@dataclass(frozen=True, slots=True)
class Sizing:
    """`capacity`: c, the highest rate per replica at which every bar held, 0 if none did.

    `needed`: replicas for the whole rate, None if no rate held. `lowest`: the slowest stage;
    `refuted`: the slowest that is Bad.
    """

    capacity: Fraction
    needed: int | None
    lowest: Stage
    refuted: Stage | None
    held_at: Stage | None
    failed_at: Stage | None


def size(demand: Demand, report: LoadReport) -> Sizing:
    """What the report's counts say under these bars."""
    final = {stage.rps: stage for stage in report.stages}  # of a repeated rate the longer one
    good = [s for s in final.values() if stage_verdict(s, report.le, demand.bars) == "Good"]
    best = max(good, key=lambda s: s.rps, default=None)
    bad = [s for s in final.values() if stage_verdict(s, report.le, demand.bars) == "Bad"]
    worse = [s for s in final.values() if best is None or s.rps > best.rps]
    capacity = Fraction(best.rps) / report.replicas if best else Fraction(0)
    return Sizing(
        capacity=capacity,
        needed=max(demand.replicas_min, ceiling(Fraction(demand.rate) / capacity))
        if capacity
        else None,
        lowest=min(final.values(), key=lambda s: s.rps),
        refuted=min(bad, key=lambda s: s.rps, default=None),
        held_at=best,
        failed_at=min(worse, key=lambda s: s.rps, default=None),
    )


def is_feasible(demand: Demand, sizing: Sizing) -> bool:
    """Whether scale and cost allow the replicas that are needed."""
    return sizing.needed is not None and sizing.needed <= demand.most


def inconclusive(demand: Demand, report: LoadReport) -> Verdict | None:
    """Why the report cannot decide, if it cannot.

    The generator or the request failed, others sent requests as well, or there were too few.
    """
    for stage in report.stages:
        reason, why = invalid_reason(stage, report.le, demand.bars)
        if reason:
            return Verdict("NoData", reason, f"{why}, at {stage.rps:g} rps")
    if report.counts is not None and (why := disagreement(report.counts, report.replicas)):
        return Verdict("NoData", "CountsDisagree", why)
    sizing = size(demand, report)
    if sizing.needed is not None:
        return None
    lowest, refuted = sizing.lowest, sizing.refuted
    if refuted and Fraction(refuted.rps) * demand.most <= Fraction(demand.rate) * report.replicas:
        return None  # with all replicas allowed each has that rate or more: it is refuted
    if stage_verdict(lowest, report.le, demand.bars) == "Undecided":
        why = f"neither proven nor refuted at {lowest.rps:g} rps by {lowest.sent:,} requests"
        return Verdict("Undecided", "TooFewRequests", why)
    halvings = round(demand.rate / lowest.rps).bit_length() - 1
    if halvings < HALVINGS and demand.replicas_min * 2 ** (halvings + 1) <= demand.most:
        why = f"{_broken(demand, report, lowest)}; a slower stage does not fit into the test"
        return Verdict("Undecided", "TooFewRequests", why)
    return None


def reasons(demand: Demand, sizing: Sizing, report: LoadReport) -> tuple[str, ...]:
    """Why it is infeasible, the most important reason first."""
    if sizing.needed is None:
        assert sizing.refuted is not None
        broken = {bar.name for bar in _broken_bars(demand, report, sizing.refuted)}
        slow = ("TooSlow",) if broken - {"errors"} else ()
        return slow + (("TooManyErrors",) if "errors" in broken else ())
    exceeded = []
    if demand.affordable is not None and sizing.needed > demand.affordable:
        exceeded.append("TooExpensive")
    if sizing.needed > demand.replicas_max:
        exceeded.append("TooManyReplicas")
    return tuple(exceeded)


def why_feasible(demand: Demand, sizing: Sizing, report: LoadReport) -> str:
    """What was measured and what it costs, in one line."""
    assert sizing.needed is not None and sizing.held_at is not None
    stage = sizing.held_at
    shown = [_bound(stage, report, bar) for bar in demand.bars]
    text = f"{'; '.join(shown)} at {stage.rps:g} rps on {plural(report.replicas, 'replica')}"
    if sizing.needed > report.replicas:
        pods = plural(sizing.needed, "replica")
        text += f", so {demand.rate:g} rps on {pods} if they scale linearly"
    return text + _paid(demand, sizing.needed)


def why_infeasible(demand: Demand, sizing: Sizing, report: LoadReport) -> str:
    """Why it is infeasible, with the numbers."""
    if sizing.needed is None:
        assert sizing.refuted is not None
        return _broken(demand, report, sizing.refuted)
    limits = []
    if demand.affordable is not None and sizing.needed > demand.affordable:
        limits.append(_over_budget(demand, sizing.needed))
    if sizing.needed > demand.replicas_max:
        limits.append(f"at most {demand.replicas_max} allowed")
    needs = f"needs {plural(sizing.needed, 'replica')} ({'; '.join(limits)})"
    return f"{needs}; holds up to {_per_replica(sizing.held_at, report)}" + (
        f", not at {_per_replica(sizing.failed_at, report)}" if sizing.failed_at else ""
    )


def plural(count: int, word: str) -> str:
    """`1 replica`, `2 replicas`."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def _bound(stage: Stage, report: LoadReport, bar: Bar) -> str:
    share = upper_bound(bad_of(stage, report.le, bar), stage.sent)
    if bar.limit is None:
        return f"errors <= {bar.allowed:.3g} (at most {share:.2%})"
    return f"{bar.name} <= {bar.limit:g}ms (at most {share:.2%} slow)"


def _broken_bars(demand: Demand, report: LoadReport, stage: Stage) -> list[Bar]:
    return [bar for bar in demand.bars if bar_verdict(stage, report.le, bar) == "Bad"]


def _broken(demand: Demand, report: LoadReport, stage: Stage) -> str:
    parts = []
    for bar in _broken_bars(demand, report, stage):
        share = f"{bad_of(stage, report.le, bar) / stage.sent:.1%}"
        parts.append(
            f"fails {share} of requests"
            if bar.limit is None
            else f"{share} slower than {bar.name} {bar.limit:g}ms"
        )
    return f"{' and '.join(parts)} even at {_per_replica(stage, report)}"


def _per_replica(stage: Stage | None, report: LoadReport) -> str:
    assert stage is not None
    return f"{float(Fraction(stage.rps) / report.replicas):.4g} rps per replica"


def _paid(demand: Demand, replicas: int) -> str:
    if demand.price is None:
        return ""
    bound = f" <= {demand.per_hour}" if demand.per_hour is not None else ""
    return f"; {demand.hourly(replicas):.2f} {demand.currency}/h{bound}"


def _over_budget(demand: Demand, replicas: int) -> str:
    if demand.per_hour is not None and demand.hourly(replicas) > demand.per_hour:
        return f"{demand.hourly(replicas):.2f} {demand.currency}/h > {demand.per_hour}"
    share = demand.per_thousand(replicas)
    return f"{share:.4f} {demand.currency} per 1,000 predictions > {demand.per1k}"
