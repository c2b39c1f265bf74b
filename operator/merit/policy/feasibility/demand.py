"""What serving is asked to do: load, pods, bounds and price, as the arithmetic of gate 2 takes it.

Money and rates are decimals or fractions, so that no verdict hangs on a float's last digit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from merit.evidence.load import Bar, Plan, edges

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
        """What every stage is judged by."""
        slow = tuple(
            Bar(f"latency.{name}", round(1 - int(name[1:]) / 100, 2), limit)
            for name, limit in sorted(self.latency.items())
        )
        return slow if self.errors is None else (*slow, Bar("errors", self.errors))

    def plan(self, duration: float) -> Plan:
        """The load test that this demand asks for; `duration`: seconds of a stage."""
        return Plan(self.rate, duration, self.bars, edges(tuple(self.latency.values())))

    def hourly(self, replicas: int) -> Decimal:
        """What so many replicas cost per hour; 0 where nothing has a price."""
        return (self.price or Decimal(0)) * replicas

    def per_thousand(self, replicas: int) -> Decimal:
        """What 1,000 predictions cost at the declared rate."""
        return self.hourly(replicas) / (THOUSAND_PER_HOUR * self.rps)

    @property
    def affordable(self) -> int | None:
        """N_cost: replicas that the cost bounds pay for; None if nothing limits them."""
        if not self.price:
            return None
        pays = [
            floor(Fraction(budget) / Fraction(self.price))
            for budget in (self.per_hour, self._hour_of_per1k)
            if budget is not None
        ]
        return min(pays, default=None)

    @property
    def _hour_of_per1k(self) -> Decimal | None:
        return None if self.per1k is None else self.per1k * THOUSAND_PER_HOUR * self.rps

    @property
    def most(self) -> int:
        """N_max: replicas that scale and cost allow."""
        paid = self.affordable
        return self.replicas_max if paid is None else min(self.replicas_max, paid)


def floor(value: Fraction) -> int:
    """The largest whole number not above the value."""
    return value.numerator // value.denominator


def ceiling(value: Fraction) -> int:
    """The smallest whole number not below the value."""
    return -(-value.numerator // value.denominator)
