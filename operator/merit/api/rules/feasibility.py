"""A load test needs a rate, and a bound that it could break."""

from __future__ import annotations

from merit.api.quantity import Refused
from merit.api.spec import Spec


def check_feasibility(spec: Spec) -> None:
    """Raises Refused."""
    load = spec.feasibility.load if spec.feasibility else None
    if load is None:
        return
    bounds = spec.constraints
    if bounds.scale is None or bounds.scale.rps is None:
        raise Refused(
            "needs to know how many requests a second are to be served",
            "set constraints.scale.rps",
            "feasibility.load",
        )
    if bounds.latency is None and bounds.errors is None:
        raise Refused(
            "has nothing to judge by",
            "set constraints.latency or constraints.errors",
            "feasibility.load",
        )
    names = [header.name.lower() for header in load.request.headers or ()]
    twice = next((n for i, n in enumerate(names) if n in names[:i]), None)
    if twice is not None:
        raise Refused(
            f'"{twice}" is there twice', "name it once", "feasibility.load.request.headers"
        )
    if load.request.method == "GET" and load.request.bodies_from is not None:
        raise Refused(
            "a GET has no body",
            "take bodiesFrom out, or use POST",
            "feasibility.load.request.method",
        )
