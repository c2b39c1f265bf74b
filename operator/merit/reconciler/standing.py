"""What stands of an object's children, from the cache: arms, traffic, and whose the names are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from merit.api.names import arm_name
from merit.api.rollout import Route as Declared
from merit.api.status import Status
from merit.cluster.cache import Cache, Key
from merit.policy.observed import Accepted, Arm, Route
from merit.policy.standing.converge import wanted_weights
from merit.reconciler.facts import applied, arm_facts, of_predecessor, owned_by
from merit.reconciler.memory import Memory
from merit.reconciler.render import split_of
from merit.traffic.router import Router, Standing

Object = Mapping[str, Any]
Pods = Mapping[str, int]
ARM_KINDS = ("Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget")


class Children:
    """The children of one object, with what was applied of each."""

    def __init__(self, cache: Cache, key: Key, uid: str, status: Status, memory: Memory) -> None:
        self._cache, self._key, self._uid, self._status = cache, key, uid, status
        self._shapes = memory.applied(status)
        self._known = dict(memory.announced)
        self._denied = dict(memory.denied)

    def arms(self, accepted: Mapping[str, Accepted], now: float) -> dict[str, Arm]:
        """Every revision of which something is left at Unix time `now`, by its 8 characters."""
        key, status = self._key, self._status
        policies = {p.short: p.policy for p in reversed(status.promoted)}
        named = (status.stable, status.candidate, status.verifying)
        policies |= {r.short: r.policy for r in named if r is not None}
        pods = self._cache.children(key.namespace, key.name, "Pod")
        found = {short: Arm(short=short) for short in self._denied}
        for short in sorted(self._shorts()):
            called = arm_name(key.name, short)
            deployment = self._mine("Deployment", called)
            record = accepted.get(f"{short}-{policies.get(short, '')}")
            in_sync = record is None or (
                self.stands(deployment, record.deployment)
                and self.stands(self._mine("Service", called), record.service)
            )
            service = self._mine("Service", called)
            arm = arm_facts(short, deployment, pods, in_sync=in_sync, now=now, service=service)
            found[short] = replace(
                arm,
                remains=True,
                scaling=self._scaling(called),
                budget=self._sound("PodDisruptionBudget", called),
            )
        for short, why in self._denied.items():
            found[short] = replace(found[short], blocked=why, blocked_by="Denied")
        return found

    def route(
        self,
        router: Router,
        declared: Declared | None,
        accepted: Mapping[str, Accepted],
        pods: Pods,
    ) -> Route:
        """What traffic is set to, and whether that stands as it was applied.

        `declared`: None while the route that stands is to be kept.
        """
        key, stable = self._key, self._status.stable
        objects = {}
        for kind in router.kinds:
            found = self._cache.get(kind, key.namespace, key.name)
            if found is not None and not owned_by(found, self._uid):
                return Route(exists=True, foreign=True)
            if found is not None:
                objects[kind] = found
        route = router.read(
            Standing(
                objects=objects,
                pods=pods,
                intended=wanted_weights(self._status),
                stable=stable.short if stable else "",
            )
        )
        served = accepted.get(f"{stable.short}-{stable.policy}") if stable else None
        if stable is None or served is None:
            return route
        split = split_of(
            key, self._uid, accepted, spec=served.spec, route=declared,
            standing=objects.get(router.kinds[0]), weights=route.weights, serves=stable.short,
            announced=route.announced,
        )  # fmt: skip
        rendered = {obj["kind"]: obj for obj in router.render(split)}
        in_sync = all(
            self.stands(objects.get(kind), obj, kept=declared is None)
            for kind, obj in rendered.items()
        )
        return replace(route, in_sync=in_sync, known=self._known)

    def conflict(self, router: Router) -> str:
        """Which name that we need is somebody else's, or nothing."""
        key = self._key
        for kind in router.kinds:
            found = self._cache.get(kind, key.namespace, key.name)
            if found is None or owned_by(found, self._uid):
                continue
            if not of_predecessor(found, key.name, self._uid):
                return f"{kind} {key.name} belongs to somebody else: rename it, or this object"
        return ""

    def stands(self, obj: Object | None, rendered: Object, *, kept: bool = False) -> bool:
        """Whether it was applied as rendered (`kept`: or otherwise), and nobody has edited it."""
        if obj is None or (applied(obj) != applied(rendered) and not kept):
            return False
        return self._untouched(obj)

    def _untouched(self, obj: Object) -> bool:
        child = f"{obj['kind']}/{obj['metadata']['name']}"
        return bool(self._shapes.get(child) == obj.get("shape"))

    def _shorts(self) -> set[str]:
        found = set()
        for kind in ARM_KINDS:
            for child in self._cache.children(self._key.namespace, self._key.name, kind):
                name, going = child["metadata"]["name"], child["metadata"].get("deletionTimestamp")
                short = name.rpartition("-")[2]  # not by its label, which somebody may have edited
                if name == arm_name(self._key.name, short) and not going:
                    found |= {short} if owned_by(child, self._uid) else set()
        return found

    def _mine(self, kind: str, name: str) -> Object | None:
        found = self._cache.get(kind, self._key.namespace, name)
        if found is None or not owned_by(found, self._uid):
            return None
        return None if found["metadata"].get("deletionTimestamp") else found

    def _sound(self, kind: str, name: str) -> bool:
        found = self._mine(kind, name)
        return found is not None and self._untouched(found)

    def _scaling(self, name: str) -> tuple[int, int] | None:
        found = self._mine("HorizontalPodAutoscaler", name)
        if found is None:
            return None
        if not self._untouched(found):
            return (0, 0)  # what no plan asks for: it is applied anew
        spec = found["spec"]
        return int(spec.get("minReplicas", 1)), int(spec["maxReplicas"])
