"""What would make it feasible: each suggestion relaxes one constraint, and is enough alone.

Each is computed from a measurement, then applied and judged again before it is shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction
from typing import Any

from merit.loadtest.plan import HALVINGS, Bar, Stage, bar_verdict, stage_verdict
from merit.policy.gates.feasibility.demand import THOUSAND_PER_HOUR, Demand, floor
from merit.policy.gates.feasibility.load_report import LoadReport
from merit.policy.gates.feasibility.sizing import Sizing, is_feasible, size

CENT = Decimal("0.01")
SIMPLER = "a simpler model"
_DEMAND = {  # the field of Demand that holds a suggestion's value as it is
    "cost.perHour": "per_hour",
    "cost.per1kPredictions": "per1k",
    "scale.rps": "rps",
    "feasibility.load.headroom": "headroom",
    "pods": "price",
}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The new `value` of a field of `spec.constraints`, `feasibility.load.headroom`, or `pods`."""

    field: str
    value: Decimal
    text: str


def suggestions(demand: Demand, sizing: Sizing, report: LoadReport) -> tuple[Suggestion, ...]:
    """All that make it feasible; none if no number of replicas is known to hold the load."""
    if sizing.needed is None:
        return ()
    return tuple(
        each
        for each in _candidates(demand, sizing, sizing.needed, report)
        if _passes(demand, each, report)
    )


def suggestion_text(demand: Demand, sizing: Sizing, report: LoadReport) -> str:
    """The suggestions as a sentence. A simpler model is always one of them, and comes last."""
    if sizing.needed is None:
        stage = sizing.refuted or sizing.lowest
        failing = {b.name for b in demand.bars if bar_verdict(stage, report.le, b) == "Bad"}
        # For errors alone nothing can be relaxed: a service that fails requests must be repaired.
        return "" if failing == {"errors"} else f"only {SIMPLER} is known to help"
    texts = [each.text for each in suggestions(demand, sizing, report)]
    return f"any one of these makes it feasible: {', '.join([*texts, SIMPLER])}"


def apply(demand: Demand, suggestion: Suggestion) -> Demand:
    """The demand with that one constraint relaxed."""
    field, value = suggestion.field, suggestion.value
    if field == "scale.replicas.max":
        return replace(demand, replicas_max=int(value))
    if field in _DEMAND:
        changed: dict[str, Any] = {_DEMAND[field]: value}
        return replace(demand, **changed)
    quantile = field.removeprefix("latency.")
    return replace(demand, latency={**demand.latency, quantile: float(value)})


def _candidates(
    demand: Demand, sizing: Sizing, needed: int, report: LoadReport
) -> Iterator[Suggestion]:
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
    yield from _later_limits(demand, report)
    yield from _less_load(demand, sizing)
    if demand.hourly_budgets and demand.price:
        amount = _rounded_down(min(demand.hourly_budgets) / needed)
        text = f"pods at <= {amount} {demand.currency}/h each"
        if 0 < amount < demand.price:
            yield Suggestion("pods", amount, text)


def _rounded_down(amount: Decimal) -> Decimal:
    """To cents, or to two digits where it is less than one."""
    if amount >= CENT:
        return amount.quantize(CENT, ROUND_FLOOR)
    digits = amount.adjusted() - 1
    return amount.quantize(Decimal((0, (1,), digits)), ROUND_FLOOR) if amount else amount


def _later_limits(demand: Demand, report: LoadReport) -> Iterator[Suggestion]:
    """Later limits, from the slowest stage whose rate as many replicas as allowed need to hold."""
    if demand.most < 1:
        return
    wanted = Fraction(demand.rate) / demand.most
    fast = [s for s in report.stages if Fraction(s.rps) / report.replicas >= wanted]
    if not fast:
        return
    slowest = min(s.rps for s in fast)
    stage = [s for s in fast if s.rps == slowest][-1]
    for quantile, limit in sorted(demand.latency.items()):
        held_limit = _held_limit(demand, report, stage, quantile)
        if held_limit is None or held_limit <= Decimal(str(limit)):
            continue
        milliseconds = held_limit < 1000
        shown = f"{held_limit:f}ms" if milliseconds else f"{(held_limit / 1000).normalize():f}s"
        yield Suggestion(f"latency.{quantile}", held_limit, f"latency.{quantile} {shown}")


def _held_limit(demand: Demand, report: LoadReport, stage: Stage, quantile: str) -> Decimal | None:
    """The smallest bucket edge at which the stage holds, in ms, rounded up to two digits."""
    bar = next(b for b in demand.bars if b.name == f"latency.{quantile}")
    for edge in report.le:
        if stage_verdict(stage, report.le, (Bar(bar.name, bar.allowed, edge),)) == "Good":
            return _rounded_up(edge)
    return None


def _rounded_up(edge: float) -> Decimal:
    """To two digits: 183 is 190."""
    exact = Decimal(repr(edge))
    unit = Decimal((0, (1,), exact.adjusted() - 1))
    rounded = exact.quantize(unit, ROUND_CEILING) if exact else exact
    return rounded.quantize(Decimal(1)) if rounded == rounded.to_integral_value() else rounded


def _less_load(demand: Demand, sizing: Sizing) -> Iterator[Suggestion]:
    """The most load whose test, which halves its rate, meets the measured capacity again."""
    for field in ("scale.rps", "feasibility.load.headroom"):
        for k in range(HALVINGS, -1, -1):
            suggestion = _load(demand, sizing, field, 2**k)
            if suggestion is not None:
                yield suggestion
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
    # That rate is spread over so many replicas; no more than scale and cost then allow.
    if changed is None or demand.replicas_min * times > changed.most:
        return None
    return Suggestion(field, rps if field == "scale.rps" else share, text)


def _passes(demand: Demand, suggestion: Suggestion, report: LoadReport) -> bool:
    """Whether the same measurements are feasible once the suggestion is applied."""
    if suggestion.field in ("scale.rps", "feasibility.load.headroom"):
        return True  # it changes the rates of the test: `_load` chose it so that they meet capacity
    changed = apply(demand, suggestion)
    return is_feasible(changed, size(changed, report))
