"""What every effect uses: the view of one object, and writes that are safe to repeat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from merit.api.names import API_VERSION, KIND
from merit.kube.applied_digest import DIGESTED, applied_digest
from merit.kube.cache import Cache, Key
from merit.kube.client import Cluster
from merit.kube.errors import ApiError, Conflict
from merit.objects.workload import owner_reference
from merit.policy.state.observed import Observed
from merit.reconciler.memory import Memory
from merit.reconciler.pod_facts import applied_hash, of_predecessor, owned_by

Object = dict[str, Any]
QUICK = 2.0  # seconds for a decisive write: it must end before the Lease may expire
CACHED = DIGESTED | {"Job"}


class Parent(TypedDict):
    """What every child is rendered with: the ModelDeployment that owns it."""

    name: str
    namespace: str
    owner: Object


class NotReady(Exception):
    """Not possible yet: no ready endpoint, or the old object of a name is still being deleted."""


class Foreign(Exception):
    """A name that is needed belongs to somebody else."""


def one_line(error: ApiError) -> str:
    """The API server's own message, for a status: at most 600 characters."""
    return " ".join(error.message.split())[:600]


class ObjectWriter:
    """Writes the children of one object. Every method raises ApiError, Foreign or NotReady."""

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
        self._decided_on = {kind: cache.get(kind, *key) for kind in ("HTTPRoute", "Service")}
        self.owner = owner_reference(key.name, seen.uid)
        self.parent: Parent = {"name": key.name, "namespace": key.namespace, "owner": self.owner}

    def ref(self) -> Object:
        """The ModelDeployment itself, by name."""
        name = {"name": self.key.name, "namespace": self.key.namespace}
        return {"apiVersion": API_VERSION, "kind": KIND, "metadata": name}

    def keep_own(self, result: Object) -> None:
        """Go on from the object itself as a write onto the version that was seen has left it."""
        self.obj = result
        self.cache.put(KIND, result)

    async def create(self, obj: Object) -> None:
        """Create it; if it exists already, it must be ours."""
        kind, name = obj["kind"], obj["metadata"]["name"]
        self._not_known_as_foreign(kind, name)
        try:
            result = await self.cluster.create(obj)
        except Conflict:
            found = await self.cluster.get(obj["apiVersion"], kind, self.key.namespace, name)
            if found is None:
                raise
            self._must_be_ours(found)
            if kind in DIGESTED:  # it may have lost the label that it is watched by
                await self._apply(obj, found)
                return
            result = found
        self._keep(result)
        self.memory.record_index.add(self.key.name, result)

    async def ensure(self, obj: Object, *, strictly: bool = False) -> None:
        """Make the object what is rendered: create it if it is missing, apply it if it differs.

        Edits of others are undone; if they return again and again, that is said. `strictly`: only
        onto the version that was decided on, even if nothing but the object's status has changed
        since.
        """
        kind, name = obj["kind"], obj["metadata"]["name"]
        child = f"{kind}/{name}"
        self._not_known_as_foreign(kind, name)
        known = self.cache.get(kind, self.key.namespace, name)
        if strictly and known is not None:
            known = self._decided_on[kind] or known
        if known is not None and not owned_by(known, self.seen.uid):
            # Not every kind is watched: the cache may be out of date.
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
        expected = self.memory.applied(self.seen.status).get(child)
        same = applied_hash(known) == applied_hash(obj)
        if same and expected == known["appliedDigest"]:
            return
        if same and expected is None and await self._would_change_nothing(obj, known):
            return
        edited = same and expected is not None
        if edited and kind != "HTTPRoute" and self.memory.is_fought_over(child, self.now):
            return
        await self._apply(obj, known, strictly=strictly)
        if edited:
            self.memory.note_correction(child, self.now)

    async def _would_change_nothing(self, obj: Object, known: Mapping[str, Any]) -> bool:
        """For what was applied before a crash, or before status was lost: a dry-run, no write."""
        try:
            result = await self.cluster.apply(_with_version(obj, known), dry_run=True)
        except Conflict:
            return False
        if applied_digest(result) != known["appliedDigest"]:
            return False
        self.memory.digests[f"{obj['kind']}/{obj['metadata']['name']}"] = known["appliedDigest"]
        return True

    async def _apply(
        self, obj: Object, known: Mapping[str, Any], *, strictly: bool = False
    ) -> Mapping[str, Any]:
        kind, name = obj["kind"], obj["metadata"]["name"]
        try:
            result = await self.cluster.apply(_with_version(obj, known), timeout=QUICK)
        except Conflict:
            # A controller may have written its status meanwhile: read it again, once.
            fresh = await self.cluster.get(obj["apiVersion"], kind, self.key.namespace, name)
            if fresh is None or not owned_by(fresh, self.seen.uid):
                self.cache.drop(kind, self.key.namespace, name)
                raise
            digest = known.get("appliedDigest") or applied_digest(known)
            if strictly or applied_digest(fresh) != digest:
                self.cache.put(kind, fresh)
                raise  # another writer, perhaps a newer leader, has changed it: decide again
            result = await self.cluster.apply(_with_version(obj, fresh), timeout=QUICK)
        self._keep(result)
        return result

    def _keep(self, result: Mapping[str, Any]) -> None:
        """The reply to our write is the newest version of it."""
        kind, name = result["kind"], result["metadata"]["name"]
        if kind in CACHED:
            self.cache.put(kind, result)
        if kind in DIGESTED:
            self.memory.digests[f"{kind}/{name}"] = applied_digest(result)

    async def remove(self, api_version: str, kind: str, name: str) -> None:
        """Delete the object of that name if it is ours."""
        known = self.cache.get(kind, self.key.namespace, name)
        if known is None or not owned_by(known, self.seen.uid):
            return
        uid = known["metadata"]["uid"]
        ref = {"apiVersion": api_version, "kind": kind, "metadata": known["metadata"]}
        await self.cluster.delete(ref, uid=uid)
        self.cache.drop(kind, self.key.namespace, name, uid)
        self.memory.digests[f"{kind}/{name}"] = None

    def _must_be_ours(self, found: Mapping[str, Any]) -> None:
        if owned_by(found, self.seen.uid):
            return
        child = f"{found['kind']} {found['metadata']['name']}"
        if of_predecessor(found, self.key.name, self.seen.uid):
            raise NotReady(f"{child} of the deleted object of this name is still being collected")
        sentence = f"{child} belongs to somebody else: rename it, or this object"
        self.memory.foreign[child.replace(" ", "/")] = (sentence, self.now)
        raise Foreign(sentence)

    def _not_known_as_foreign(self, kind: str, name: str) -> None:
        """Whose it is, is asked once in a while only."""
        if held := self.memory.foreign.get(f"{kind}/{name}"):
            raise Foreign(held[0])


def _with_version(obj: Object, known: Mapping[str, Any]) -> Object:
    """The object with the uid and version that were seen: for any other, applying is a Conflict."""
    metadata = {
        **obj["metadata"],
        "uid": known["metadata"]["uid"],
        "resourceVersion": known["metadata"]["resourceVersion"],
    }
    return {**obj, "metadata": metadata}
