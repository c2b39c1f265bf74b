"""Shares by pod count: one Service before the pods of both revisions, and no gateway needed.

A share is what the pods make of it: each new connection goes to any of them, so weights are
approximate, and a client that keeps its connection stays where it is. That is why a revision that
loses its traffic here loses its pods with it: a selector moves no connection that is open.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.api.names import LABEL_REVISION
from merit.children.workload import Object, front_service
from merit.policy.observed import Route
from merit.policy.standing.pods import share_of
from merit.traffic.router import Split, Standing

APPROXIMATE = "by pod count: weights are approximate"


class Replicas:
    """The Service `<name>`: before the stable revision's pods, or before those of both."""

    kinds = ("Service",)

    def render(self, split: Split) -> tuple[Object, ...]:
        """How many pods each has is the Deployments' matter; here it is who is reached at all."""
        both = len([weight for weight in split.weights.values() if weight > 0]) > 1
        only = "" if both else next(iter(split.weights), split.serves)
        port = split.ports[split.serves]
        return (front_service(split.name, split.namespace, split.owner, port, only),)

    def read(self, standing: Standing) -> Route:
        """Who is reached, with the shares that are intended where the pods are those revisions'."""
        service = standing.objects.get("Service")
        if service is None:
            return Route()
        pods = {short: count for short, count in standing.pods.items() if count > 0}
        only = _only(service)
        if only:
            return Route(exists=True, weights={only: 100}, accepted=True, reason=APPROXIMATE)
        if len(standing.intended) > 1 and set(pods) <= set(standing.intended):
            weights = dict(standing.intended)
        else:
            weights = _shares(pods, standing.stable)
        counts = ", ".join(f"{short} {count}" for short, count in sorted(pods.items()))
        said = f"{APPROXIMATE}; pods: {counts}"
        return Route(exists=True, weights=weights, accepted=True, reason=said)


def _only(service: Mapping[str, Any]) -> str:
    selector = (service.get("spec") or {}).get("selector") or {}
    return str(selector.get(LABEL_REVISION, ""))


def _shares(pods: Mapping[str, int], stable: str) -> dict[str, int]:
    total = sum(pods.values())
    others = {s: share_of(n, total - n) for s, n in pods.items() if s != stable}
    rest = {stable: 100 - sum(others.values())} if stable in pods else {}
    return others | rest
