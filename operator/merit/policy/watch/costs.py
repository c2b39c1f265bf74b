"""What serving costs now: requests x price book x replicas. Exact, so a threshold is enough."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal

from merit.api.constraints import Cost
from merit.api.defaults import effective
from merit.api.spec import Spec
from merit.api.status import Signal
from merit.evidence.cost import PriceBook, Unpriced, unit_price
from merit.policy.observed import Observed

NAME = "cost"
LEAST_TRAFFIC = 0.1  # of the declared requests per second: below it the cost of one explodes
_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£"}


def cost_signals(seen: Observed, spec: Spec, *, canary: bool) -> tuple[Signal, ...]:
    """`cost`, if the spec bounds it. `spec`: of the candidate in a canary, else of what serves.

    In a canary both revisions run: their sum is told, and what is judged is the candidate alone
    with as many replicas as the stable one has.
    """
    bound, book = spec.constraints.cost, seen.tuning.prices
    if bound is None:
        return ()
    if book is None or book.currency != bound.currency:
        return (_unknown(bound, "no price book in this currency"),)
    price = unit_price(spec.serving.template, book)
    if isinstance(price, Unpriced):
        return (_unknown(bound, price.message[:120]),)
    known = effective(spec)
    stable = seen.status.stable
    replicas = seen.replicas.get(stable.short) if stable else None
    serving = Decimal(str(round(replicas, 4))) if replicas else Decimal(known.replicas_min)
    hourly = price * max(serving, Decimal(known.replicas_min) if canary else Decimal(0))
    rps = _requests_per_second(seen)
    enough = rps is not None and known.rps is not None and rps >= LEAST_TRAFFIC * known.rps
    per1k = hourly / (Decimal("3.6") * Decimal(str(rps))) if enough else None
    return (_signal(seen, bound, hourly, per1k, book if canary else None),)


def _signal(
    seen: Observed, bound: Cost, hourly: Decimal, per1k: Decimal | None, book: PriceBook | None
) -> Signal:
    told = []
    total = _sum(seen, book) if book is not None else None
    if total is not None:
        told.append(f"{money(total, bound.currency)}/h both")
    told.append(f"{money(hourly, bound.currency)}/h" + (" projected" if book else ""))
    if bound.per1k_predictions is not None and per1k is not None:
        told.append(f"{money(per1k, bound.currency, '0.0001')} per 1,000")
    bad = (bound.per_hour is not None and hourly > bound.per_hour) or (
        bound.per1k_predictions is not None
        and per1k is not None
        and per1k > bound.per1k_predictions
    )
    unsaid = bound.per_hour is None and per1k is None
    verdict = "Bad" if bad else "NoData" if unsaid else "Good"
    return Signal(name=NAME, value=", ".join(told), bar=_bar(bound), verdict=verdict)


def _sum(seen: Observed, book: PriceBook) -> Decimal | None:
    """What all revisions that have pods cost together."""
    templates: Mapping[str, object] = {
        a.identity.short: a.spec.serving.template for a in seen.accepted.values()
    }
    total = Decimal(0)
    for short, arm in seen.arms.items():
        template = templates.get(short)
        price = unit_price(template, book) if isinstance(template, dict) else None
        if price is None or isinstance(price, Unpriced):
            return None
        total += price * max(arm.desired, arm.ready)
    return total


def _requests_per_second(seen: Observed) -> float | None:
    counted = [figure.n for figure in seen.figures.values()]
    return max(counted) / 60 if counted else None


def _unknown(bound: Cost, why: str) -> Signal:
    return Signal(name=NAME, value=why, bar=_bar(bound), verdict="NoData")


def _bar(bound: Cost) -> str:
    sides = []
    if bound.per_hour is not None:
        sides.append(f"{money(bound.per_hour, bound.currency)}/h")
    if bound.per1k_predictions is not None:
        sides.append(f"{money(bound.per1k_predictions, bound.currency, '0.0001')} per 1,000")
    return ", ".join(sides)


def money(amount: Decimal, currency: str, step: str = "0.01") -> str:
    """As people read it: `$1.92`, `CHF 1.92`; rounded up to `step`."""
    told = amount.quantize(Decimal(step), rounding=ROUND_CEILING)
    symbol = _SYMBOLS.get(currency)
    return f"{symbol}{told}" if symbol else f"{currency} {told}"
