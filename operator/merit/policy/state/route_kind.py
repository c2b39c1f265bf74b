"""Which route is in force, and what makes a declared one impossible."""

from __future__ import annotations

from typing import Literal

from merit.api.rollout import Route, RouteRule
from merit.api.spec import Spec
from merit.api.status import Status
from merit.api.validation import Invalid
from merit.policy.state.observed import Accepted, Observed

RouteKind = Literal["gateway", "replicas"]
FIELD = "spec.rollout.route"
MOST_CLAIMS = 256  # of one object: a Gateway, a hostname and a match


def kind_in_force(status: Status, spec: Spec | Invalid, served: Accepted | None) -> RouteKind:
    """The kind of route that serves, or that will. `served`: the stable revision's record."""
    if status.route:
        return "replicas" if status.route == "replicas" else "gateway"
    if served is not None:
        return served.spec.rollout.route.kind
    return spec.rollout.route.kind if isinstance(spec, Spec) else "gateway"


def by_pods(seen: Observed) -> bool:
    """Whether shares are made by pod count."""
    return _kind(seen) == "replicas"


def _kind(seen: Observed) -> RouteKind:
    return kind_in_force(seen.status, seen.declared.spec, seen.record(seen.status.stable))


def route_refusal(seen: Observed) -> Invalid | None:
    """Why a valid spec cannot have its route."""
    spec, tuning = seen.declared.spec, seen.tuning
    if isinstance(spec, Invalid):
        return None
    kind, now = spec.rollout.route.kind, _kind(seen)
    if seen.status.stable is not None and now != kind:
        return Invalid(
            FIELD,
            f"is {kind}, and what serves is reached by {now}: the kind of route stays",
            f"put {now} back, or declare an object of another name beside this one",
        )
    claims = _claims(spec.rollout.route)
    if claims > MOST_CLAIMS:
        return Invalid(
            f"{FIELD}.gateway",
            f"has {claims} combinations of a Gateway, a hostname and a match, at most "
            f"{MOST_CLAIMS} are compared with those of others",
            "declare fewer hostnames or matches, or several objects",
        )
    if kind == "replicas" and not tuning.per_pod:
        source = tuning.source or "the operator's configuration"
        return Invalid(
            f"{FIELD}.replicas",
            f"needs counts per pod, which {source} does not give",
            "name a source with a server part in spec.monitoring.source, or use route.gateway",
        )
    return None


def _claims(route: Route) -> int:
    if route.gateway is None:
        return 0
    matches = sum(len(rule.matches or "*") for rule in route.gateway.rules or (RouteRule(),))
    return len(route.gateway.parent_refs) * len(route.gateway.hostnames) * matches


def route_in_force(seen: Observed) -> Route | None:
    """The declared route; None while it cannot be had, so that the present one is kept."""
    declared = seen.declared
    if not isinstance(declared.spec, Spec) or declared.refused or seen.traffic.contested:
        return None
    return declared.spec.rollout.route
