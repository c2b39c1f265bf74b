"""Which load test an object is in: what it asks for, its Job, and what binds its report."""

from __future__ import annotations

from decimal import Decimal

from merit.api.defaults import effective
from merit.api.spec import Spec
from merit.evidence.cost import PriceBook, Unpriced, unit_price
from merit.evidence.load import Plan
from merit.evidence.load_order import Counter, Order, Scrape
from merit.policy.feasibility.demand import Demand
from merit.policy.feasibility.own_counts import scrape_of
from merit.policy.gates.run import Run, run_at
from merit.policy.observed import Observed
from merit.policy.signals import PERCENTILES


def load_run(seen: Observed) -> Run | None:
    """The run, if this object is in gate 2 and declares a load test."""
    run = run_at(seen, "Feasibility")
    declared = run.accepted.spec.feasibility if run else None
    return run if declared is not None and declared.load is not None else None


def demand_of(spec: Spec, book: PriceBook | None) -> Demand | Unpriced:
    """What the spec asks of its pods; `book`: the price book, as the operator has it."""
    known, bounds = effective(spec), spec.constraints
    latency = {
        name: round(bound * 1000, 6)
        for name in (PERCENTILES if bounds.latency else ())
        if (bound := getattr(bounds.latency, name)) is not None
    }
    price = None
    if bounds.cost is not None:
        found = _price(spec, book)
        if isinstance(found, Unpriced):
            return found
        price = found
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


def plan_of(spec: Spec, demand: Demand) -> Plan:
    """What the generator is to send."""
    return demand.plan(effective(spec).load_duration or 0.0)


def order_of(
    spec: Spec, demand: Demand, targets: tuple[str, ...], counters: tuple[Counter, ...]
) -> Order:
    """The whole order for the generator. `targets`: base URLs of the ready pods; `counters`: what
    the metrics source says that the servers count requests by.
    """
    assert spec.feasibility is not None and spec.feasibility.load is not None
    request = spec.feasibility.load.request
    headers = {header.name: header.value for header in request.headers or ()}
    if request.bodies_from is not None and "content-type" not in map(str.lower, headers):
        headers["Content-Type"] = "application/json"
    asked = scrape_of(spec, counters)
    return Order(
        plan=plan_of(spec, demand),
        targets=targets,
        method=request.method or ("POST" if request.bodies_from else "GET"),
        path=request.path,
        headers=headers,
        bodies=request.bodies_from.config_map if request.bodies_from else "",
        scrape=asked if isinstance(asked, Scrape) else None,
        uncounted=asked if isinstance(asked, str) else "",
    )
