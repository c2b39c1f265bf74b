"""Rules of constraints and of the load test, and the signals that constraints declare."""

from __future__ import annotations

from merit.api.constraints import Constraints
from merit.api.quantity import InvalidValue
from merit.api.spec import Spec

PERCENTILES = ("p50", "p90", "p95", "p99")


def signals(constraints: Constraints) -> tuple[str, ...]:
    """Names of the signals that these constraints declare."""
    names = ["errors"] if constraints.errors else []
    if constraints.latency:
        declared = [p for p in PERCENTILES if getattr(constraints.latency, p) is not None]
        names += ["latency", *(f"latency/{p}" for p in declared)]
    return (*names, "cost") if constraints.cost else tuple(names)


def check_constraints(it: Constraints) -> None:
    """Check that there is a bound, and each has an amount. Raises InvalidValue."""
    if not (it.latency or it.errors or it.cost):
        raise InvalidValue(
            "sets no bound on latency, errors or cost",
            "set one, as errors: {max: 1%}",
            "constraints",
        )
    if it.latency and all(getattr(it.latency, p) is None for p in PERCENTILES):
        raise InvalidValue("names no percentile", "set one, as p99: 100ms", "constraints.latency")
    if it.cost and it.cost.per_hour is None and it.cost.per1k_predictions is None:
        remedy = 'set perHour or per1kPredictions, as perHour: "6.00"'
        raise InvalidValue("names no amount", remedy, "constraints.cost")
    if it.cost and it.cost.per1k_predictions is not None and not (it.scale and it.scale.rps):
        raise InvalidValue(
            "needs to know how many requests share the cost",
            "set constraints.scale.rps",
            "constraints.cost.per1kPredictions",
        )
    replicas = it.scale.replicas if it.scale else None
    if replicas and replicas.min > replicas.max:
        raise InvalidValue(
            f"{replicas.min} is more than max, which is {replicas.max}",
            "set min to at most max",
            "constraints.scale.replicas.min",
        )


def check_load_test(spec: Spec) -> None:
    """Check that the load test has a rate, and a bound to check. Raises InvalidValue."""
    load = spec.feasibility.load if spec.feasibility else None
    if load is None:
        return
    bounds = spec.constraints
    if bounds.scale is None or bounds.scale.rps is None:
        raise InvalidValue(
            "needs to know how many requests a second are to be served",
            "set constraints.scale.rps",
            "feasibility.load",
        )
    if bounds.latency is None and bounds.errors is None:
        raise InvalidValue(
            "has no bound to check",
            "set constraints.latency or constraints.errors",
            "feasibility.load",
        )
    names = [header.name.lower() for header in load.request.headers or ()]
    twice = next((n for i, n in enumerate(names) if n in names[:i]), None)
    if twice is not None:
        raise InvalidValue(
            f'"{twice}" is declared twice', "name it once", "feasibility.load.request.headers"
        )
    if load.request.method == "GET" and load.request.bodies_from is not None:
        raise InvalidValue(
            "a GET has no body",
            "remove bodiesFrom, or use POST",
            "feasibility.load.request.method",
        )
