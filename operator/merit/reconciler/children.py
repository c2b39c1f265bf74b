"""An object's children as the cache has them: pods by revision, traffic, and who owns the names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from merit.api.names import revision_name
from merit.api.rollout import Route as DeclaredRoute
from merit.api.spec import Spec, serving_container
from merit.api.status import Status
from merit.kube.cache import Cache, Key
from merit.objects.workload import owner_reference
from merit.policy.desired.traffic import wanted_weights
from merit.policy.state.observed import Accepted, RevisionPods, Route
from merit.reconciler.memory import Memory
from merit.reconciler.pod_facts import applied_hash, of_predecessor, owned_by, pod_facts
from merit.traffic.router import Router, RouterState, Split

Object = Mapping[str, Any]
REVISION_KINDS = ("Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget")


class Children:
    """The children of one object, with what was applied of each."""

    def __init__(self, cache: Cache, key: Key, uid: str, status: Status, memory: Memory) -> None:
        self._cache, self._key, self._uid, self._status = cache, key, uid, status
        self._applied = memory.applied(status)
        self._announced = dict(memory.announced)
        self._denied = dict(memory.denied)

    def pods(self, accepted: Mapping[str, Accepted], now: float) -> dict[str, RevisionPods]:
        """By its 8 characters, every revision of which something is left at Unix time `now`."""
        status = self._status
        policies = {promoted.short: promoted.policy for promoted in reversed(status.promoted)}
        current = (status.stable, status.candidate, status.comparison)
        policies |= {ref.short: ref.policy for ref in current if ref is not None}
        pods = self._cache.children(*self._key, "Pod")
        found = {short: RevisionPods(short=short) for short in self._denied}
        for short in sorted(self._revisions()):
            name = revision_name(self._key.name, short)
            deployment, service = self._ours("Deployment", name), self._ours("Service", name)
            record = accepted.get(f"{short}-{policies.get(short, '')}")
            in_sync = record is None or (
                self._is_in_sync(deployment, record.deployment)
                and self._is_in_sync(service, record.service)
            )
            found[short] = replace(
                pod_facts(
                    short,
                    deployment,
                    pods,
                    in_sync=in_sync,
                    now=now,
                    service=service,
                    server=serving_container(record.spec)["name"] if record else "",
                ),
                remains=True,
                scaling=self._scaling(name),
                budget=self._is_unedited("PodDisruptionBudget", name),
            )
        for short, why in self._denied.items():
            found[short] = replace(found[short], blocked=why, blocked_by="Denied")
        return found

    def route(
        self,
        router: Router,
        declared: DeclaredRoute | None,
        accepted: Mapping[str, Accepted],
        pods: Mapping[str, int],
    ) -> Route:
        """The weights that are set, and whether their objects are as they were applied.

        `declared`: None while the existing route is to be kept. `pods`: desired, by revision.
        Of a route of somebody else only what it sends to our pods is read.
        """
        stable, carrier = self._status.stable, router.kinds[0]
        standing = {kind: self._cache.get(kind, *self._key) for kind in router.kinds}
        foreign = {k for k, obj in standing.items() if obj and not owned_by(obj, self._uid)}
        objects = {k: o for k, o in standing.items() if o and k not in foreign - {carrier}}
        route = router.read(
            RouterState(
                objects=objects,
                pods=pods,
                intended=wanted_weights(self._status),
                stable=stable.short if stable else "",
            )
        )
        if carrier in foreign:
            to_ours = {short: weight for short, weight in route.weights.items() if short in pods}
            return replace(route, weights=to_ours, foreign=True)
        serving = accepted.get(stable.key) if stable else None
        if stable is None or serving is None:
            return route
        split = split_of(
            self._key, self._uid, accepted, spec=serving.spec, route=declared,
            existing=objects.get(carrier), weights=route.weights, serves=stable.short,
            announced=route.announced,
        )  # fmt: skip
        in_sync = all(
            self._is_in_sync(objects.get(rendered["kind"]), rendered, any_version=declared is None)
            for rendered in router.render(split)
        )
        return replace(route, in_sync=in_sync, known=self._announced)

    def conflict(self, router: Router) -> str:
        """Which name that is needed belongs to somebody else, as a sentence; empty if none does."""
        for kind in router.kinds:
            obj = self._cache.get(kind, *self._key)
            if obj is None or owned_by(obj, self._uid):
                continue
            if not of_predecessor(obj, self._key.name, self._uid):
                name = self._key.name
                return f"{kind} {name} belongs to somebody else: rename it, or this object"
        return ""

    def _is_in_sync(
        self, obj: Object | None, rendered: Object, *, any_version: bool = False
    ) -> bool:
        """Whether it was applied as rendered (`any_version`: or otherwise), and is not edited."""
        if obj is None or (applied_hash(obj) != applied_hash(rendered) and not any_version):
            return False
        return self._has_applied_digest(obj)

    def _has_applied_digest(self, obj: Object) -> bool:
        child = f"{obj['kind']}/{obj['metadata']['name']}"
        return bool(self._applied.get(child) == obj.get("appliedDigest"))

    def _revisions(self) -> set[str]:
        found = set()
        for kind in REVISION_KINDS:
            for child in self._cache.children(*self._key, kind):
                metadata = child["metadata"]
                short = metadata["name"].rpartition("-")[2]  # not by the label: it may be edited
                ours = metadata["name"] == revision_name(self._key.name, short)
                if ours and not metadata.get("deletionTimestamp") and owned_by(child, self._uid):
                    found.add(short)
        return found

    def _ours(self, kind: str, name: str) -> Object | None:
        obj = self._cache.get(kind, self._key.namespace, name)
        if obj is None or not owned_by(obj, self._uid):
            return None
        return None if obj["metadata"].get("deletionTimestamp") else obj

    def _is_unedited(self, kind: str, name: str) -> bool:
        obj = self._ours(kind, name)
        return obj is not None and self._has_applied_digest(obj)

    def _scaling(self, name: str) -> tuple[int, int] | None:
        obj = self._ours("HorizontalPodAutoscaler", name)
        if obj is None:
            return None
        if not self._has_applied_digest(obj):
            return (0, 0)  # no plan has these numbers: it is applied again
        spec = obj["spec"]
        return int(spec.get("minReplicas", 1)), int(spec["maxReplicas"])


def split_of(
    key: Key,
    uid: str,
    accepted: Mapping[str, Accepted],
    *,
    spec: Spec,
    route: DeclaredRoute | None,
    existing: Object | None,
    weights: Mapping[str, int],
    serves: str,
    announced: frozenset[str],
) -> Split:
    """What a router renders. `route`: the declared one; None keeps the `existing` one.

    `spec`: of the stable revision; for revisions without a record it names the port.
    """
    ports = {a.identity.short: a.spec.serving.port for a in accepted.values()}
    return Split(
        name=key.name,
        namespace=key.namespace,
        owner=owner_reference(key.name, uid),
        route=route or spec.rollout.route,
        existing=existing if route is None else None,
        weights=weights,
        serves=serves,
        ports={s: ports.get(s, spec.serving.port) for s in (*weights, *announced, serves)},
        announced=announced,
    )
