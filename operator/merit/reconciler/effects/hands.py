"""What every effect works with: one object's view, and writes that are safe to repeat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.api.names import API_VERSION, KIND
from merit.children.workload import owner_reference
from merit.cluster.cache import Cache, Key
from merit.cluster.client import Cluster
from merit.cluster.errors import Conflict
from merit.policy.observed import Observed
from merit.reconciler.facts import applied, of_predecessor, owned_by
from merit.reconciler.memory import Memory

Object = dict[str, Any]
QUICK = 2.0  # seconds for a decisive write: it must end while the Lease surely holds
CACHED = frozenset({"Deployment", "Service", "Job", "HTTPRoute"})


class NotReady(Exception):
    """Not yet: an arm without a ready endpoint, or a name whose old object is still going."""


class Foreign(Exception):
    """A name that we need belongs to somebody else."""


class Hands:
    """One object, and the cluster as its effects may touch it.

    Every method raises ApiError; `Foreign` or `NotReady` where a name is taken.
    """

    def __init__(
        self, cluster: Cluster, cache: Cache, key: Key, obj: Object, seen: Observed, memory: Memory
    ) -> None:
        self.cluster, self.cache, self.key = cluster, cache, key
        self.obj, self.seen, self.memory = obj, seen, memory
        self.owner = owner_reference(key.name, seen.uid)

    def ref(self) -> Object:
        """The ModelDeployment itself, by name."""
        name = {"name": self.key.name, "namespace": self.key.namespace}
        return {"apiVersion": API_VERSION, "kind": KIND, "metadata": name}

    async def create(self, obj: Object) -> None:
        """Create it; if the name is taken, it must be ours."""
        kind, name = obj["kind"], obj["metadata"]["name"]
        try:
            made = await self.cluster.create(obj)
        except Conflict:
            found = await self.cluster.get(obj["apiVersion"], kind, self.key.namespace, name)
            if found is None:
                raise
            self._must_be_ours(found)
            made = found
        if kind in CACHED:
            self.cache.put(kind, made)

    async def stand(self, obj: Object) -> None:
        """The object stands as rendered: made if missing, applied if it differs."""
        kind, name = obj["kind"], obj["metadata"]["name"]
        known = self.cache.get(kind, self.key.namespace, name)
        if known is None:
            await self.create(obj)
            return
        self._must_be_ours(known)
        if applied(known) == applied(obj):
            return
        try:
            made = await self.cluster.apply(_fenced(obj, known), timeout=QUICK)
        except Conflict:
            # A gateway's or controller's status moved the version: read afresh, once, at once.
            fresh = await self.cluster.get(obj["apiVersion"], kind, self.key.namespace, name)
            if fresh is None or not owned_by(fresh, self.seen.uid):
                self.cache.drop(kind, self.key.namespace, name)
                raise
            made = await self.cluster.apply(_fenced(obj, fresh), timeout=QUICK)
        self.cache.put(kind, made)

    async def remove(self, api_version: str, kind: str, name: str) -> None:
        """Delete what is ours by that name; anything else is left alone."""
        known = self.cache.get(kind, self.key.namespace, name)
        if known is None or not owned_by(known, self.seen.uid):
            return
        uid = known["metadata"]["uid"]
        ref = {"apiVersion": api_version, "kind": kind, "metadata": known["metadata"]}
        await self.cluster.delete(ref, uid=uid)
        self.cache.drop(kind, self.key.namespace, name, uid)

    def _must_be_ours(self, found: Mapping[str, Any]) -> None:
        if owned_by(found, self.seen.uid):
            return
        called = f"{found['kind']} {found['metadata']['name']}"
        if of_predecessor(found, self.key.name, self.seen.uid):
            raise NotReady(f"{called} of the deleted object of this name is still being collected")
        raise Foreign(f"{called} belongs to somebody else")


def _fenced(obj: Object, known: Mapping[str, Any]) -> Object:
    """The object bound to the very version that was seen: it neither resurrects nor overwrites."""
    metadata = {
        **obj["metadata"],
        "uid": known["metadata"]["uid"],
        "resourceVersion": known["metadata"]["resourceVersion"],
    }
    return {**obj, "metadata": metadata}
