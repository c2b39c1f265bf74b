"""What the route and the metrics fleet are asked for, from specs and weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.api.rollout import Route
from merit.api.spec import Spec
from merit.children.workload import owner_reference
from merit.cluster.cache import Key
from merit.metrics.fleet import FleetArms
from merit.policy.observed import Accepted
from merit.policy.signals import declared
from merit.traffic.router import Split

Object = Mapping[str, Any]


def split_of(
    key: Key,
    uid: str,
    accepted: Mapping[str, Accepted],
    *,
    spec: Spec,
    route: Route | None,
    standing: Object | None,
    weights: Mapping[str, int],
    serves: str,
    announced: frozenset[str],
) -> Split:
    """What a router renders. `route`: the declared one, None to keep the one that stands.

    `spec`: that of the stable revision, for what nothing else tells.
    """
    ports = {a.identity.short: a.spec.serving.port for a in accepted.values()}
    return Split(
        name=key.name,
        namespace=key.namespace,
        owner=owner_reference(key.name, uid),
        route=route or spec.rollout.route,
        standing=standing if route is None else None,
        weights=weights,
        serves=serves,
        ports={s: ports.get(s, spec.serving.port) for s in (*weights, *announced, serves)},
        announced=announced,
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
