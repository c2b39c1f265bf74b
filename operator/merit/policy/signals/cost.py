"""What serving costs now: requests x price book x replicas. Exact, so a threshold is enough."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, Decimal

from merit.api.constraints import Cost
from merit.api.defaults import effective
from merit.api.spec import Spec
from merit.api.status import Signal
from merit.policy.state.capacity import requests_per_second
from merit.policy.state.observed import Observed, RevisionPods
from merit.policy.state.prices import PriceBook, Unpriced, unit_price

NAME = "cost"
LEAST_TRAFFIC = 0.1  # of the declared requests per second: below it the cost of one says nothing
_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£"}


def cost_signals(seen: Observed, spec: Spec, *, canary: bool) -> tuple[Signal, ...]:
    """`cost`, if the spec bounds it. `spec`: of the candidate in a canary, else of what serves.

    In a canary both revisions run. The text has their sum; the candidate alone is judged, with as
    many replicas as the stable revision has.
    """
    bound, book, stable = spec.constraints.cost, seen.tuning.prices, seen.status.stable
    if bound is None:
        return ()
    if book is None or book.currency != bound.currency:
        return (_no_data(bound, "no price book in this currency"),)
    price = unit_price(spec.serving.template, book)
    if isinstance(price, Unpriced):
        return (_no_data(bound, price.message[:120]),)
    settings = effective(spec)
    replicas = seen.measurements.replicas.get(stable.short) if stable else None
    serving = Decimal(str(round(replicas, 4))) if replicas else Decimal(settings.replicas_min)
    hourly = price * max(serving, Decimal(settings.replicas_min) if canary else Decimal(0))
    rps = requests_per_second(seen)
    enough = rps is not None and settings.rps is not None and rps >= LEAST_TRAFFIC * settings.rps
    per1k = hourly / (Decimal("3.6") * Decimal(str(rps))) if enough else None
    return (_signal(seen, bound, hourly, per1k, book if canary else None),)


def _signal(
    seen: Observed, bound: Cost, hourly: Decimal, per1k: Decimal | None, book: PriceBook | None
) -> Signal:
    parts, total = [], None
    if book is not None:
        total = price_of_pods(seen, book, lambda pods: max(pods.desired, pods.ready))
    if total is not None:
        parts.append(f"{money(total, bound.currency)}/h both")
    parts.append(f"{money(hourly, bound.currency)}/h" + (" projected" if book else ""))
    if bound.per1k_predictions is not None and per1k is not None:
        parts.append(f"{money(per1k, bound.currency, '0.0001')} per 1,000")
    measured = ((hourly, bound.per_hour), (per1k, bound.per1k_predictions))
    bad = any(cost is not None and most is not None and cost > most for cost, most in measured)
    unmeasured = bound.per_hour is None and per1k is None
    verdict = "Bad" if bad else "NoData" if unmeasured else "Good"
    return Signal(name=NAME, value=", ".join(parts), bar=_bar(bound), verdict=verdict)


def price_of_pods(
    seen: Observed, book: PriceBook, count: Callable[[RevisionPods], int]
) -> Decimal | None:
    """Cost per hour of `count` pods of every revision together; None if one has no price."""
    specs = {a.identity.short: a.spec for a in seen.recorded.accepted.values()}
    total = Decimal(0)
    for short, pods in seen.pods.items():
        spec = specs.get(short)
        price = unit_price(spec.serving.template, book) if spec else None
        if price is None or isinstance(price, Unpriced):
            return None  # a part of a price would look like all of it
        total += price * count(pods)
    return total


def _no_data(bound: Cost, why: str) -> Signal:
    return Signal(name=NAME, value=why, bar=_bar(bound), verdict="NoData")


def _bar(bound: Cost) -> str:
    sides = []
    if bound.per_hour is not None:
        sides.append(f"{money(bound.per_hour, bound.currency)}/h")
    if bound.per1k_predictions is not None:
        sides.append(f"{money(bound.per1k_predictions, bound.currency, '0.0001')} per 1,000")
    return ", ".join(sides)


def money(amount: Decimal, currency: str, step: str = "0.01") -> str:
    """An amount as it is written: `$1.92`, `CHF 1.92`; rounded up to `step`."""
    rounded = amount.quantize(Decimal(step), rounding=ROUND_CEILING)
    symbol = _SYMBOLS.get(currency)
    return f"{symbol}{rounded}" if symbol else f"{currency} {rounded}"
