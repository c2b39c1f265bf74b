"""What the route and the metrics fleet are asked for, from specs and weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.api.spec import Spec
from merit.children.workload import owner_reference
from merit.cluster.cache import Key
from merit.metrics.fleet import FleetArms
from merit.policy.observed import Accepted
from merit.policy.signals import declared
from merit.traffic.gateway_api import http_route

Object = dict[str, Any]


def render_route(
    key: Key, uid: str, spec: Spec, weights: Mapping[str, int], accepted: Mapping[str, Accepted]
) -> Object:
    """The route with these weights, each arm on its own port."""
    ports = {a.identity.short: a.spec.serving.port for a in accepted.values()}
    return http_route(
        name=key.name,
        namespace=key.namespace,
        owner=owner_reference(key.name, uid),
        gateway=spec.rollout.route.gateway,
        arms=[(s, w, ports.get(s, spec.serving.port)) for s, w in sorted(weights.items())],
    )


def fleet_arms(
    key: Key,
    spec: Spec,
    candidate: str,
    stable: str,
    since: float | None,
    started: float | None,
) -> FleetArms:
    """Which series the metrics fleet is asked for."""
    return FleetArms(
        namespace=key.namespace,
        name=key.name,
        candidate=candidate,
        stable=stable,
        port=spec.serving.port,
        since=since,
        edges={signal.name: signal.bound for signal in declared(spec)},
        candidate_started_at=started,
    )
