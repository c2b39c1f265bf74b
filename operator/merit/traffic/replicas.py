"""Weights by pod count: one Service for the pods of both revisions, without a gateway.

Each new connection goes to any of the pods, so weights are approximate, and a client that keeps its
connection stays where it is. So a revision that loses its traffic here loses its pods, too: a
changed selector moves no open connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.api.names import LABEL_REVISION
from merit.objects.workload import Object, front_service
from merit.policy.state.observed import Route
from merit.policy.state.pod_shares import share_of
from merit.traffic.router import RouterState, Split

APPROXIMATE = "by pod count: weights are approximate"


class Replicas:
    """The Service `<name>`: of the stable revision's pods, or of those of both."""

    kinds = ("Service",)

    def render(self, split: Split) -> tuple[Object, ...]:
        """The selector: which revisions are reached. Their pod counts are in the Deployments."""
        both = len([weight for weight in split.weights.values() if weight > 0]) > 1
        only = "" if both else next(iter(split.weights), split.serves)
        port, users = split.ports[split.serves], split.route.metadata
        return (front_service(split.name, split.namespace, split.owner, port, only, users),)

    def read(self, state: RouterState) -> Route:
        """Which revisions are reached; with the intended weights where the pods match them."""
        service = state.objects.get("Service")
        if service is None:
            return Route()
        pods = {short: count for short, count in state.pods.items() if count > 0}
        only = _only(service)
        if only:
            return Route(exists=True, weights={only: 100}, accepted=True, reason=APPROXIMATE)
        if len(state.intended) > 1 and set(pods) <= set(state.intended):
            weights = dict(state.intended)
        else:
            weights = _shares(pods, state.stable)
        counts = ", ".join(f"{short} {count}" for short, count in sorted(pods.items()))
        reason = f"{APPROXIMATE}; pods: {counts}"
        return Route(exists=True, weights=weights, accepted=True, reason=reason)


def _only(service: Mapping[str, Any]) -> str:
    selector = (service.get("spec") or {}).get("selector") or {}
    return str(selector.get(LABEL_REVISION, ""))


def _shares(pods: Mapping[str, int], stable: str) -> dict[str, int]:
    total = sum(pods.values())
    others = {s: share_of(n, total - n) for s, n in pods.items() if s != stable}
    rest = {stable: 100 - sum(others.values())} if stable in pods else {}
    return others | rest
