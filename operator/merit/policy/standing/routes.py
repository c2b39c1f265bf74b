"""Which route is in force, and what makes a declared one impossible."""

from __future__ import annotations

from typing import Literal

from merit.api.rollout import Route
from merit.api.spec import Spec
from merit.api.status import Status
from merit.api.validation import Invalid
from merit.policy.observed import Accepted, Observed, Tuning

Kind = Literal["gateway", "replicas"]
FIELD = "spec.rollout.route"


def kind_in_force(status: Status, spec: Spec | Invalid, served: Accepted | None) -> Kind:
    """The kind of route that serves, or that will. `served`: the stable revision's record."""
    if status.route:
        return "replicas" if status.route == "replicas" else "gateway"
    if served is not None:
        return served.spec.rollout.route.kind
    return spec.rollout.route.kind if isinstance(spec, Spec) else "gateway"


def by_pods(seen: Observed) -> bool:
    """Whether shares are made by pod count."""
    return kind_in_force(seen.status, seen.spec, served(seen)) == "replicas"


def served(seen: Observed) -> Accepted | None:
    """The record of the stable revision."""
    stable = seen.status.stable
    return seen.accepted.get(f"{stable.short}-{stable.policy}") if stable else None


def refusal(
    spec: Spec | Invalid, status: Status, served: Accepted | None, tuning: Tuning
) -> Invalid | None:
    """Why a valid spec cannot have its route. `served`: the record of the stable revision."""
    if isinstance(spec, Invalid):
        return None
    route = spec.rollout.route
    now = kind_in_force(status, spec, served)
    if status.stable is not None and now != route.kind:
        return Invalid(
            FIELD,
            f"is {route.kind}, and what serves is reached by {now}: the kind of route stays",
            f"put {now} back, or declare an object of another name beside this one",
        )
    if route.kind == "replicas" and not tuning.per_pod:
        source = tuning.source or "the operator's configuration"
        return Invalid(
            f"{FIELD}.replicas",
            f"needs counts per pod, which {source} does not give",
            "name a source with a server part in spec.monitoring.source, or use route.gateway",
        )
    return None


def route_in_force(seen: Observed) -> Route | None:
    """The declared route; None while it cannot be had, so that the one that stands is kept."""
    if not isinstance(seen.spec, Spec) or seen.refused is not None or seen.contested:
        return None
    return seen.spec.rollout.route
