"""What would make it feasible: each suggestion relaxes one constraint, and is enough alone.

None is given that was not computed from a measurement, and each is taken, in `take`, and judged
again before it is printed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction

from merit.evidence.load import HALVINGS, Bar, Stage, answer, held
from merit.policy.feasibility.demand import THOUSAND_PER_HOUR, Demand, floor
from merit.policy.feasibility.load_report import LoadReport
from merit.policy.feasibility.sizing import Sizing, is_feasible, size

CENT = Decimal("0.01")
SIMPLER = "a simpler model"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`field` of `spec.constraints`, or `feasibility.load.headroom`, or `pods`; its new `value`."""

    field: str
    value: Decimal
    text: str


def suggestions(demand: Demand, sizing: Sizing, report: LoadReport) -> tuple[Suggestion, ...]:
    """All that would help, the smallest change first; empty if no number of replicas is known to.

    Only those are given that pass when they are taken.
    """
    if sizing.needed is None:
        return ()
    return tuple(
        found
        for found in _all(demand, sizing, sizing.needed, report)
        if _passes(demand, found, report)
    )


def words(demand: Demand, sizing: Sizing, report: LoadReport) -> str:
    """The suggestions as a sentence; a simpler model is always among them, and comes last."""
    if sizing.needed is None:
        stage = sizing.refuted or sizing.lowest
        failing = {b.name for b in demand.bars if answer(stage, report.le, b) == "Bad"}
        # Nothing to relax for errors alone: a service that fails requests is to be repaired.
        return "" if failing == {"errors"} else f"only {SIMPLER} is known to help"
    found = [each.text for each in suggestions(demand, sizing, report)]
    return f"any one of these makes it feasible: {', '.join([*found, SIMPLER])}"


def take(demand: Demand, suggestion: Suggestion) -> Demand:
    """The demand with that one constraint relaxed."""
    value = suggestion.value
    match suggestion.field:
        case "scale.replicas.max":
            return replace(demand, replicas_max=int(value))
        case "cost.perHour":
            return replace(demand, per_hour=value)
        case "cost.per1kPredictions":
            return replace(demand, per1k=value)
        case "scale.rps":
            return replace(demand, rps=value)
        case "feasibility.load.headroom":
            return replace(demand, headroom=value)
        case "pods":
            return replace(demand, price=value)
        case field:
            quantile = field.removeprefix("latency.")
            return replace(demand, latency={**demand.latency, quantile: float(value)})


def _all(demand: Demand, sizing: Sizing, needed: int, report: LoadReport) -> Iterator[Suggestion]:
    hourly, rate = demand.hourly(needed), THOUSAND_PER_HOUR * demand.rps
    if needed > demand.replicas_max:
        text = f"scale.replicas.max {needed}"
        if demand.price is not None:
            text += f" ({hourly:.2f} {demand.currency}/h)"
        yield Suggestion("scale.replicas.max", Decimal(needed), text)
    if demand.per_hour is not None and hourly > demand.per_hour:
        amount = hourly.quantize(CENT, ROUND_CEILING)
        yield Suggestion("cost.perHour", amount, f"cost.perHour {amount}")
    if demand.per1k is not None and hourly > demand.per1k * rate:
        amount = (hourly / rate).quantize(Decimal("0.0001"), ROUND_CEILING)
        yield Suggestion("cost.per1kPredictions", amount, f"cost.per1kPredictions {amount}")
    yield from _slower(demand, report)
    yield from _less(demand, sizing, report)
    budgets = [b for b in (demand.per_hour, _hourly(demand)) if b is not None]
    if budgets and demand.price:
        amount = _down(min(budgets) / needed)
        text = f"pods at <= {amount} {demand.currency}/h each"
        if 0 < amount < demand.price:
            yield Suggestion("pods", amount, text)


def _hourly(demand: Demand) -> Decimal | None:
    return None if demand.per1k is None else demand.per1k * THOUSAND_PER_HOUR * demand.rps


def _down(amount: Decimal) -> Decimal:
    """Rounded down to cents, or to two digits where it is less than that."""
    if amount >= CENT:
        return amount.quantize(CENT, ROUND_FLOOR)
    digits = amount.adjusted() - 1
    return amount.quantize(Decimal((0, (1,), digits)), ROUND_FLOOR) if amount else amount


def _slower(demand: Demand, report: LoadReport) -> Iterator[Suggestion]:
    """A later limit, at the slowest stage that is fast enough for the replicas that may be had."""
    if demand.most < 1:
        return
    wanted = Fraction(demand.rate) / demand.most
    fast = [s for s in report.stages if Fraction(s.rps) / report.replicas >= wanted]
    if not fast:
        return
    slowest = min(s.rps for s in fast)
    stage = [s for s in fast if s.rps == slowest][-1]
    for quantile, limit in sorted(demand.latency.items()):
        found = _edge(demand, report, stage, quantile)
        if found is not None and found > Decimal(str(limit)):
            shown = f"{found:f}ms" if found < 1000 else f"{(found / 1000).normalize():f}s"
            yield Suggestion(f"latency.{quantile}", found, f"latency.{quantile} {shown}")


def _edge(demand: Demand, report: LoadReport, stage: Stage, quantile: str) -> Decimal | None:
    """The smallest edge at which the stage holds, in ms, rounded up to two digits."""
    bar = next(b for b in demand.bars if b.name == f"latency.{quantile}")
    for edge in report.le:
        if held(stage, report.le, (Bar(bar.name, bar.allowed, edge),)) == "Good":
            return _up(edge)
    return None


def _up(edge: float) -> Decimal:
    """Rounded up to two digits: 183 is 190."""
    exact = Decimal(repr(edge))
    unit = Decimal((0, (1,), exact.adjusted() - 1))
    up = exact.quantize(unit, ROUND_CEILING) if exact else exact
    return up.quantize(Decimal(1)) if up == up.to_integral_value() else up


def _less(demand: Demand, sizing: Sizing, report: LoadReport) -> Iterator[Suggestion]:
    """Less load: the most that is met again when the test halves from there."""
    for field in ("scale.rps", "feasibility.load.headroom"):
        for k in range(HALVINGS, -1, -1):
            found = _load(demand, sizing, field, 2**k)
            if found is not None:
                yield found
                break


def _load(demand: Demand, sizing: Sizing, field: str, times: int) -> Suggestion | None:
    total = sizing.capacity * demand.replicas_min * times
    if field == "scale.rps":
        rps = Decimal(floor(total / Fraction(1 + demand.headroom)))
        changed = replace(demand, rps=rps) if 1 <= rps < demand.rps else None
        text = f"scale.rps {rps}"
    else:
        share = Decimal(floor((total / Fraction(demand.rps) - 1) * 100)) / 100
        changed = replace(demand, headroom=share) if 0 < share < demand.headroom else None
        text = f"feasibility.load.headroom {share:.0%}"
    # As many replicas as that rate is spread over, and no more than can be had and paid for then.
    if changed is None or demand.replicas_min * times > changed.most:
        return None
    return Suggestion(field, rps if field == "scale.rps" else share, text)


def _passes(demand: Demand, suggestion: Suggestion, report: LoadReport) -> bool:
    """Whether the same measurements are feasible once the suggestion is taken."""
    changed = take(demand, suggestion)
    if suggestion.field in ("scale.rps", "feasibility.load.headroom"):
        return True  # the rates of the test change with it: `_load` has seen to it that they meet c
    return is_feasible(changed, size(changed, report))
