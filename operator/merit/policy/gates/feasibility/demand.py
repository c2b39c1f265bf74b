"""The demand on serving: load, replicas, bounds and price, as the arithmetic of gate 2 takes them.

Costs and rates are decimals or fractions, so that no verdict depends on a float's rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from merit.api.defaults import effective
from merit.api.rules.constraints import PERCENTILES
from merit.api.spec import Spec
from merit.loadtest.plan import Bar, Plan, edges
from merit.policy.state.prices import PriceBook, Unpriced, unit_price

THOUSAND_PER_HOUR = Decimal("3.6")  # thousands of requests in an hour, at one a second


@dataclass(frozen=True, slots=True)
class Demand:
    """`latency`: limit in ms by quantile, as p99; `errors`: the share that may fail.

    `price`: of one replica per hour, None where no cost is bounded. `rps`: to be served, without
    headroom.
    """

    rps: Decimal
    headroom: Decimal = Decimal(0)
    replicas_min: int = 1
    replicas_max: int = 1
    latency: Mapping[str, float] = field(default_factory=dict)
    errors: float | None = None
    price: Decimal | None = None
    per_hour: Decimal | None = None
    per1k: Decimal | None = None
    currency: str = ""

    @property
    def rate(self) -> float:
        """R: requests per second that the load test sends in all."""
        return float(self.rps * (1 + self.headroom))

    @property
    def bars(self) -> tuple[Bar, ...]:
        """The bars that every stage of the load test is judged by."""
        slow = tuple(
            Bar(f"latency.{name}", round(1 - int(name[1:]) / 100, 2), limit)
            for name, limit in sorted(self.latency.items())
        )
        return slow if self.errors is None else (*slow, Bar("errors", self.errors))

    def plan(self, duration: float) -> Plan:
        """The load test that this demand asks for; `duration`: seconds of a stage."""
        return Plan(self.rate, duration, self.bars, edges(tuple(self.latency.values())))

    def hourly(self, replicas: int) -> Decimal:
        """Cost per hour of that many replicas; 0 where no cost is bounded."""
        return (self.price or Decimal(0)) * replicas

    def per_thousand(self, replicas: int) -> Decimal:
        """Cost of 1,000 predictions at the declared rate, with that many replicas."""
        return self.hourly(replicas) / (THOUSAND_PER_HOUR * self.rps)

    @property
    def affordable(self) -> int | None:
        """N_cost: replicas that the cost bounds pay for; None if nothing limits them."""
        if not self.price:
            return None
        return min(
            (floor(Fraction(budget) / Fraction(self.price)) for budget in self.hourly_budgets),
            default=None,
        )

    @property
    def hourly_budgets(self) -> tuple[Decimal, ...]:
        """The declared cost bounds, each as an amount per hour."""
        per1k = None if self.per1k is None else self.per1k * THOUSAND_PER_HOUR * self.rps
        return tuple(budget for budget in (self.per_hour, per1k) if budget is not None)

    @property
    def most(self) -> int:
        """N_max: replicas that scale and cost allow."""
        affordable = self.affordable
        return self.replicas_max if affordable is None else min(self.replicas_max, affordable)


def demand_of(spec: Spec, book: PriceBook | None) -> Demand | Unpriced:
    """The demand that the spec declares; `book`: the operator's price book."""
    known, bounds = effective(spec), spec.constraints
    latency = {
        name: round(bound * 1000, 6)
        for name in (PERCENTILES if bounds.latency else ())
        if (bound := getattr(bounds.latency, name)) is not None
    }
    price = _price(spec, book) if bounds.cost is not None else None
    if isinstance(price, Unpriced):
        return price
    return Demand(
        rps=Decimal(str(known.rps or 1)),
        headroom=Decimal(str(known.headroom or 0)),
        replicas_min=known.replicas_min,
        replicas_max=known.replicas_max,
        latency=latency,
        errors=bounds.errors.max if bounds.errors else None,
        price=price,
        per_hour=bounds.cost.per_hour if bounds.cost else None,
        per1k=bounds.cost.per1k_predictions if bounds.cost else None,
        currency=bounds.cost.currency if bounds.cost else "",
    )


def _price(spec: Spec, book: PriceBook | None) -> Decimal | Unpriced:
    cost, named = spec.constraints.cost, effective(spec).prices
    if book is None:
        return Unpriced("NoPrice", f'the operator\'s configuration has no price book "{named}"')
    if cost is not None and book.currency != cost.currency:
        return Unpriced("NoPrice", f"the price book is in {book.currency}, not {cost.currency}")
    return unit_price(spec.serving.template, book)


def floor(value: Fraction) -> int:
    """The largest whole number not above the value."""
    return value.numerator // value.denominator


def ceiling(value: Fraction) -> int:
    """The smallest whole number not below the value."""
    return -(-value.numerator // value.denominator)
