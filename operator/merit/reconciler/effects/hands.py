"""What every effect works with: one object's view, and writes that are safe to repeat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.api.names import API_VERSION, KIND
from merit.children.workload import owner_reference
from merit.cluster.cache import SHAPED, Cache, Key, setters, shape
from merit.cluster.client import Cluster
from merit.cluster.errors import Conflict
from merit.policy.observed import Observed
from merit.reconciler.facts import applied, of_predecessor, owned_by
from merit.reconciler.memory import Memory

Object = dict[str, Any]
QUICK = 2.0  # seconds for a decisive write: it must end while the Lease surely holds
CACHED = SHAPED | {"Job"}


class NotReady(Exception):
    """Not yet: an arm without a ready endpoint, or a name whose old object is still going."""


class Foreign(Exception):
    """A name that we need belongs to somebody else."""


class Hands:
    """One object, and the cluster as its effects may touch it.

    Every method raises ApiError; `Foreign` or `NotReady` where a name is taken.
    """

    def __init__(
        self,
        cluster: Cluster,
        cache: Cache,
        key: Key,
        obj: Object,
        seen: Observed,
        memory: Memory,
        now: float,
    ) -> None:
        self.cluster, self.cache, self.key = cluster, cache, key
        self.obj, self.seen, self.memory, self.now = obj, seen, memory, now
        self.owner = owner_reference(key.name, seen.uid)

    def ref(self) -> Object:
        """The ModelDeployment itself, by name."""
        name = {"name": self.key.name, "namespace": self.key.namespace}
        return {"apiVersion": API_VERSION, "kind": KIND, "metadata": name}

    async def create(self, obj: Object) -> None:
        """Create it; if the name is taken, it must be ours. Records are put on file."""
        kind, name = obj["kind"], obj["metadata"]["name"]
        try:
            made = await self.cluster.create(obj)
        except Conflict:
            found = await self.cluster.get(obj["apiVersion"], kind, self.key.namespace, name)
            if found is None:
                raise
            self._must_be_ours(found)
            if kind in SHAPED:  # it may have lost the label that it is watched by
                await self._apply(obj, found)
                return
            made = found
        self._keep(made)
        self.memory.filing.add(self.key.name, made)

    async def stand(self, obj: Object, *, strictly: bool = False) -> None:
        """The object stands as rendered: made if missing, applied if it differs.

        What somebody else edited is put right. When he edits it again and again, that is Foreign:
        it is said, and put right once a minute at most. `strictly`: only onto the very version that
        was seen, even if but its status has changed since.
        """
        kind, name = obj["kind"], obj["metadata"]["name"]
        known = self.cache.get(kind, self.key.namespace, name)
        if known is not None and not owned_by(known, self.seen.uid):
            # Not every kind is watched: what is known may be long gone.
            known = await self.cluster.get(obj["apiVersion"], kind, self.key.namespace, name)
            if known is None:
                self.cache.drop(kind, self.key.namespace, name)
            else:
                self._must_be_ours(known)
                await self._apply(obj, known)
                return
        if known is None:
            await self.create(obj)
            return
        child = f"{kind}/{name}"
        expected = self.memory.applied(self.seen.status).get(child)
        same = applied(known) == applied(obj)
        if same and expected == known["shape"]:
            return
        if same and expected is None and await self._would_change_nothing(obj, known):
            return
        made = await self._apply(obj, known, strictly=strictly)
        if not same or expected is None:
            return
        if shape(made) != expected and (others := setters(made)):
            # An apply takes back what is ours, not what was added: that is for whoever did it.
            self.memory.shapes[child] = expected
            raise Foreign(f"{kind} {name} has parts that {others} set: take them out again")
        if self.memory.fights(child, self.now):
            raise Foreign(f"{kind} {name} is edited again and again: let it be, it is Merit's")

    async def _would_change_nothing(self, obj: Object, known: Mapping[str, Any]) -> bool:
        """What was applied before a crash, or before status was lost, is looked at, not written."""
        try:
            made = await self.cluster.apply(_fenced(obj, known), dry_run=True)
        except Conflict:
            return False
        if shape(made) != known["shape"]:
            return False
        self.memory.shapes[f"{obj['kind']}/{obj['metadata']['name']}"] = known["shape"]
        return True

    async def _apply(
        self, obj: Object, known: Mapping[str, Any], *, strictly: bool = False
    ) -> Mapping[str, Any]:
        kind, name = obj["kind"], obj["metadata"]["name"]
        try:
            made = await self.cluster.apply(_fenced(obj, known), timeout=QUICK)
        except Conflict:
            # A gateway's or controller's status moved the version: read afresh, once, at once.
            fresh = await self.cluster.get(obj["apiVersion"], kind, self.key.namespace, name)
            if fresh is None or not owned_by(fresh, self.seen.uid):
                self.cache.drop(kind, self.key.namespace, name)
                raise
            if strictly or shape(fresh) != (known.get("shape") or shape(known)):
                self.cache.put(kind, fresh)
                raise  # somebody, maybe a newer leader, has decided since: look at everything again
            made = await self.cluster.apply(_fenced(obj, fresh), timeout=QUICK)
        self._keep(made)
        return made

    def _keep(self, made: Mapping[str, Any]) -> None:
        """The answer to our write is the newest that is known of it."""
        kind, name = made["kind"], made["metadata"]["name"]
        if kind in CACHED:
            self.cache.put(kind, made)
        if kind in SHAPED:
            self.memory.shapes[f"{kind}/{name}"] = shape(made)

    async def remove(self, api_version: str, kind: str, name: str) -> None:
        """Delete what is ours by that name; anything else is left alone."""
        known = self.cache.get(kind, self.key.namespace, name)
        if known is None or not owned_by(known, self.seen.uid):
            return
        uid = known["metadata"]["uid"]
        ref = {"apiVersion": api_version, "kind": kind, "metadata": known["metadata"]}
        await self.cluster.delete(ref, uid=uid)
        self.cache.drop(kind, self.key.namespace, name, uid)
        self.memory.shapes[f"{kind}/{name}"] = None

    def _must_be_ours(self, found: Mapping[str, Any]) -> None:
        if owned_by(found, self.seen.uid):
            return
        called = f"{found['kind']} {found['metadata']['name']}"
        if of_predecessor(found, self.key.name, self.seen.uid):
            raise NotReady(f"{called} of the deleted object of this name is still being collected")
        raise Foreign(f"{called} belongs to somebody else: rename it, or this object")


def _fenced(obj: Object, known: Mapping[str, Any]) -> Object:
    """The object bound to the very version that was seen: it neither resurrects nor overwrites."""
    metadata = {
        **obj["metadata"],
        "uid": known["metadata"]["uid"],
        "resourceVersion": known["metadata"]["resourceVersion"],
    }
    return {**obj, "metadata": metadata}
