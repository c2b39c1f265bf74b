"""From a load report to a verdict: how many replicas the load needs, and whether that many may be.

One replica is taken to hold in company what it held alone: linear scaling is an assumption, which
messages name and which the canary under real traffic checks.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from merit.evidence.bounds import upper
from merit.evidence.load import HALVINGS, Bar, Stage, ailing, answer, bad_of, held
from merit.evidence.load_counts import disagreement
from merit.policy.feasibility.demand import Demand, ceiling
from merit.policy.feasibility.load_report import LoadReport
from merit.policy.verdict import Verdict

ORDER = ("TooSlow", "TooManyErrors", "TooExpensive", "TooManyReplicas")


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
    good = [s for s in final.values() if held(s, report.le, demand.bars) == "Good"]
    best = max(good, key=lambda s: s.rps, default=None)
    bad = [s for s in final.values() if held(s, report.le, demand.bars) == "Bad"]
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
    """Whether the replicas that are needed may be had."""
    return sizing.needed is not None and sizing.needed <= demand.most


def unsure(demand: Demand, report: LoadReport) -> Verdict | None:
    """Why the report cannot decide, if it cannot: the generator, the request, who else was there,
    too little of it.
    """
    for stage in report.stages:
        reason, said = ailing(stage, report.le, demand.bars)
        if reason:
            return Verdict("NoData", reason, f"{said}, at {stage.rps:g} rps")
    if report.counts is not None and (said := disagreement(report.counts, report.replicas)):
        return Verdict("NoData", "CountsDisagree", said)
    sizing = size(demand, report)
    if sizing.needed is not None:
        return None
    lowest, refuted = sizing.lowest, sizing.refuted
    if refuted and Fraction(refuted.rps) * demand.most <= Fraction(demand.rate) * report.replicas:
        return None  # as many as may be had would each have no less to do: no slower stage helps
    if held(lowest, report.le, demand.bars) == "Undecided":
        said = f"neither proven nor refuted at {lowest.rps:g} rps by {lowest.sent:,} requests"
        return Verdict("Undecided", "TooFewRequests", said)
    halvings = round(demand.rate / lowest.rps).bit_length() - 1
    if halvings < HALVINGS and demand.replicas_min * 2 ** (halvings + 1) <= demand.most:
        said = f"{_broken(demand, report, lowest)}; a slower stage does not fit into the test"
        return Verdict("Undecided", "TooFewRequests", said)
    return None


def reasons(demand: Demand, sizing: Sizing, report: LoadReport) -> tuple[str, ...]:
    """Which limits bind, in the order of importance."""
    if sizing.needed is None:
        assert sizing.refuted is not None
        broken = {bar.name for bar in _bad(demand, report, sizing.refuted)}
        slow = ("TooSlow",) if broken - {"errors"} else ()
        return slow + (("TooManyErrors",) if "errors" in broken else ())
    found = []
    if demand.affordable is not None and sizing.needed > demand.affordable:
        found.append("TooExpensive")
    if sizing.needed > demand.replicas_max:
        found.append("TooManyReplicas")
    return tuple(found)


def meets(demand: Demand, sizing: Sizing, report: LoadReport) -> str:
    """What was measured and paid for, in one line."""
    assert sizing.needed is not None and sizing.held_at is not None
    stage = sizing.held_at
    shown = [_bound(stage, report, bar) for bar in demand.bars]
    on = f"{demand.rate:g} rps on {plural(sizing.needed, 'replica')}"
    said = f"{'; '.join(shown)} at {stage.rps:g} rps on {plural(report.replicas, 'replica')}"
    if sizing.needed > report.replicas:
        said += f", so {on} if they scale linearly"
    return said + _paid(demand, sizing.needed)


def falls_short(demand: Demand, sizing: Sizing, report: LoadReport) -> str:
    """Why it is infeasible, with the numbers."""
    if sizing.needed is None:
        assert sizing.refuted is not None
        return _broken(demand, report, sizing.refuted)
    over = []
    if demand.affordable is not None and sizing.needed > demand.affordable:
        over.append(_costs(demand, sizing.needed))
    if sizing.needed > demand.replicas_max:
        over.append(f"at most {demand.replicas_max} allowed")
    said = f"needs {plural(sizing.needed, 'replica')} ({'; '.join(over)})"
    return f"{said}; holds up to {_per_replica(sizing.held_at, report)}" + (
        f", not at {_per_replica(sizing.failed_at, report)}" if sizing.failed_at else ""
    )


def plural(count: int, word: str) -> str:
    """`1 replica`, `2 replicas`."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def _bound(stage: Stage, report: LoadReport, bar: Bar) -> str:
    share = upper(bad_of(stage, report.le, bar), stage.sent)
    if bar.limit is None:
        return f"errors <= {bar.allowed:.3g} (at most {share:.2%})"
    return f"{bar.name} <= {bar.limit:g}ms (at most {share:.2%} slow)"


def _bad(demand: Demand, report: LoadReport, stage: Stage) -> list[Bar]:
    return [bar for bar in demand.bars if answer(stage, report.le, bar) == "Bad"]


def _broken(demand: Demand, report: LoadReport, stage: Stage) -> str:
    parts = []
    for bar in _bad(demand, report, stage):
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
    return f"; {money(demand, replicas)} {demand.currency}/h{bound}"


def _costs(demand: Demand, replicas: int) -> str:
    if demand.per_hour is not None and demand.hourly(replicas) > demand.per_hour:
        return f"{money(demand, replicas)} {demand.currency}/h > {demand.per_hour}"
    share = demand.per_thousand(replicas)
    return f"{share:.4f} {demand.currency} per 1,000 predictions > {demand.per1k}"


def money(demand: Demand, replicas: int) -> str:
    """The cost per hour, to the cent."""
    return f"{demand.hourly(replicas):.2f}"
