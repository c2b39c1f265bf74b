"""Constraints that say something, and the signals that they bring about."""

from __future__ import annotations

from merit.api.constraints import Constraints
from merit.api.quantity import Refused

PERCENTILES = ("p50", "p90", "p95", "p99")


def signals(constraints: Constraints) -> tuple[str, ...]:
    """The signals that exist in an object with these constraints."""
    names = ["errors"] if constraints.errors else []
    if constraints.latency:
        set_ = [p for p in PERCENTILES if getattr(constraints.latency, p) is not None]
        names += ["latency", *(f"latency/{p}" for p in set_)]
    return (*names, "cost") if constraints.cost else tuple(names)


def check_constraints(it: Constraints) -> None:
    """At least one bound, each with an amount. Raises Refused."""
    if not (it.latency or it.errors or it.cost):
        raise Refused(
            "sets no bound on latency, errors or cost",
            "set one, as errors: {max: 1%}",
            "constraints",
        )
    if it.latency and all(getattr(it.latency, p) is None for p in PERCENTILES):
        raise Refused("names no percentile", "set one, as p99: 100ms", "constraints.latency")
    if it.cost and it.cost.per_hour is None and it.cost.per1k_predictions is None:
        remedy = 'set perHour or per1kPredictions, as perHour: "6.00"'
        raise Refused("names no amount", remedy, "constraints.cost")
    if it.cost and it.cost.per1k_predictions is not None and not (it.scale and it.scale.rps):
        raise Refused(
            "needs to know how many requests share the cost",
            "set constraints.scale.rps",
            "constraints.cost.per1kPredictions",
        )
    replicas = it.scale.replicas if it.scale else None
    if replicas and replicas.min > replicas.max:
        raise Refused(
            f"{replicas.min} is more than max, which is {replicas.max}",
            "set min to at most max",
            "constraints.scale.replicas.min",
        )
