"""The API server's storage: objects, versions, field managers and watchers.

It has the properties that the operator depends on: one counter of resourceVersions, uids,
generations that move with the spec only, preconditions, a status that the main resource cannot
change, the defaults of the real API server, and no new version for a write that changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from merit.kube.errors import Conflict, Invalid, NotFound
from tests.world.defaults import filled
from tests.world.merge import Object, Path, cloned, fields, fields_v1, merged, put, remove

Ref = tuple[str, str, str]
WITH_GENERATION = frozenset(
    {"ModelDeployment", "Deployment", "Job", "HTTPRoute", "PodDisruptionBudget"}
)
WITH_OWNERS = frozenset({"ModelDeployment", "Deployment", "Service", "HTTPRoute"})
WITH_STATUS = WITH_GENERATION | {"Pod", "HorizontalPodAutoscaler"}


@dataclass(frozen=True)
class Commit:
    """One change: its field manager, and the object before and after (None: no object)."""

    manager: str
    verb: str
    ref: Ref
    old: Object | None
    new: Object | None


def ref_of(obj: Mapping[str, Any]) -> Ref:
    """The key of an object."""
    meta = obj["metadata"]
    return obj["kind"], meta.get("namespace", ""), meta["name"]


@dataclass
class Store:
    """All objects. `now` is the world's clock in Unix seconds."""

    now: Callable[[], float]
    objects: dict[Ref, Object] = field(default_factory=dict)
    owned: dict[Ref, dict[tuple[str, str], set[Path]]] = field(default_factory=dict)
    version: int = 1000
    uids: int = 0
    listeners: list[Callable[[Commit], None]] = field(default_factory=list)
    webhook: Callable[[Object], None] = lambda obj: None  # mutates what is written

    def fork(self, now: Callable[[], float]) -> Store:
        """An independent copy without listeners. It may be shallow: commits replace objects."""
        return Store(
            now=now,
            objects=dict(self.objects),
            owned={ref: {k: set(v) for k, v in of.items()} for ref, of in self.owned.items()},
            version=self.version,
            uids=self.uids,
        )

    def get(self, ref: Ref) -> Object | None:
        """A copy of the object, or None."""
        found = self.objects.get(ref)
        return None if found is None else cloned(found)

    def all(self, kind: str, namespace: str | None = None, labels: str = "") -> Iterator[Object]:
        """All objects of a kind, not copied; labels as `a=b,c=d` or `a`."""
        for ref in sorted(ref for ref in self.objects if ref[0] == kind):
            obj = self.objects.get(ref)
            if obj is not None and namespace in (None, "", ref[1]) and _matches(obj, labels):
                yield obj

    def create(self, obj: Object, manager: str, dry_run: bool = False) -> Object:
        """POST; 409 if the object exists."""
        ref = ref_of(obj)
        if ref in self.objects:
            raise Conflict(409, "AlreadyExists", f"{ref[0]} {ref[2]!r} already exists")
        new = filled(cloned(obj))
        self.webhook(new)
        if ref[0] in WITH_STATUS:
            new.pop("status", None)
        if ref[0] == "ModelDeployment":
            new["status"] = {"observedGeneration": -1}
        self.uids += 1
        stamp = datetime.fromtimestamp(int(self.now()), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        seed = f"{self.uids}/{ref}"
        new["metadata"] |= {
            "uid": hashlib.sha256(seed.encode()).hexdigest()[:32],
            "creationTimestamp": stamp,
        }
        new["metadata"].pop("resourceVersion", None)
        if ref[0] in WITH_GENERATION:
            new["metadata"]["generation"] = 1
        if dry_run:
            return new
        self.owned[ref] = {}
        return self._commit(ref, None, new, manager, "create", set(fields(obj)), "Update")

    def apply(self, obj: Object, manager: str) -> Object:
        """Forced server-side apply: fields applied before and missing now go, unless shared."""
        ref, meta = ref_of(obj), obj["metadata"]
        old = self.objects.get(ref)
        if old is None:
            if "uid" in meta:
                raise Conflict(409, "Conflict", f"uid mismatch: {ref[0]} {ref[2]!r} is gone")
            self.create(obj, manager)
            self.owned[ref] = {(manager, "Apply"): set(fields(obj))}
            return self._managed(ref)
        if meta.get("uid", old["metadata"]["uid"]) != old["metadata"]["uid"]:
            raise Invalid(422, "Invalid", "metadata.uid: field is immutable")
        _precondition(meta, old)
        wanted = {p: v for p, v in fields(obj).items() if p[0] != "status"}
        new = cloned(old)
        others = {p for who, ps in self.owned[ref].items() if who != (manager, "Apply") for p in ps}
        for path in self.owned[ref].get((manager, "Apply"), set()) - set(wanted) - others:
            remove(new, path)
        for path, value in wanted.items():
            put(new, path, value)
        self.webhook(filled(new))
        return self._commit(ref, old, new, manager, "apply", set(wanted), "Apply")

    def patch(
        self, ref: Ref, patch: Object, manager: str, subresource: str | None = None
    ) -> Object:
        """Merge patch. On the subresource `status` only the status changes; a uid is ignored."""
        old = self.objects.get(ref)
        if old is None:
            raise NotFound(404, "NotFound", f"{ref[0]} {ref[2]!r} not found")
        meta = patch.get("metadata", {})
        _precondition(meta, old)
        if (
            subresource is None
            and meta.get("uid", old["metadata"]["uid"]) != old["metadata"]["uid"]
        ):
            raise Conflict(409, "Conflict", "the uid is that of another object")
        body = cloned(patch)
        body.get("metadata", {}).pop("resourceVersion", None)
        body.get("metadata", {}).pop("uid", None)
        if subresource == "status":
            body = {"status": body.get("status", {})}
        elif subresource == "scale":
            body = {"spec": {"replicas": body["spec"]["replicas"]}}
        elif ref[0] in WITH_STATUS:
            body.pop("status", None)
        new = filled(merged(old, body))
        verb = subresource or "patch"
        return self._commit(ref, old, new, manager, verb, set(fields(body)), "Update")

    def disown(self, ref: Ref, path: Path) -> None:
        """The field loses all its managers, as after a restore from YAML."""
        old = self.objects[ref]
        for paths in self.owned[ref].values():
            paths.discard(path)
        self.version += 1
        metadata = {**old["metadata"], "resourceVersion": str(self.version)}
        self.objects[ref] = {**old, "metadata": metadata}
        self._managed(ref)
        self._notify(Commit("restore", "patch", ref, old, self.objects[ref]))

    def delete(self, ref: Ref, manager: str, uid: str | None = None) -> None:
        """DELETE; 404 if there is no object, 409 if its uid is another."""
        old = self.objects.get(ref)
        if old is None:
            raise NotFound(404, "NotFound", f"{ref[0]} {ref[2]!r} not found")
        if uid is not None and uid != old["metadata"]["uid"]:
            raise Conflict(409, "Conflict", "the uid in the precondition is that of another object")
        del self.objects[ref], self.owned[ref]
        self.version += 1
        deleted = cloned(old)
        deleted["metadata"]["resourceVersion"] = str(self.version)
        self._notify(Commit(manager, "delete", ref, deleted, None))

    def _commit(
        self,
        ref: Ref,
        old: Object | None,
        new: Object,
        manager: str,
        verb: str,
        touched: set[Path],
        operation: str,
    ) -> Object:
        before, after = fields(old or {}), fields(new)
        changed = {p for p in {*before, *after} if before.get(p) != after.get(p)}
        owners = self.owned[ref]
        owners_before = {who: set(paths) for who, paths in owners.items()}
        for paths in owners.values():
            paths &= set(after)
        if operation == "Apply":
            for who, paths in owners.items():
                if who[0] != manager or who[1] != "Apply":
                    paths -= touched & changed
            owners[(manager, "Apply")] = touched
        else:
            for paths in owners.values():
                paths -= changed
            owners.setdefault((manager, "Update"), set()).update(touched & changed & set(after))
        for who in [w for w, paths in owners.items() if not paths]:
            del owners[who]
        if old is not None and not changed and owners_before == owners:
            return cloned(old)
        if old is not None and ref[0] in WITH_GENERATION and any(p[0] == "spec" for p in changed):
            generation = old["metadata"]["generation"] + 1
            new["metadata"] = {**new["metadata"], "generation": generation}
        self.version += 1
        new["metadata"] = {**new["metadata"], "resourceVersion": str(self.version)}
        self.objects[ref] = new
        result = self._managed(ref)
        self._notify(Commit(manager, verb, ref, old, new))
        return result

    def _managed(self, ref: Ref) -> Object:
        new = self.objects[ref]
        if ref[0] in WITH_OWNERS:
            new["metadata"]["managedFields"] = [
                {
                    "manager": manager,
                    "operation": operation,
                    "apiVersion": new["apiVersion"],
                    "fieldsType": "FieldsV1",
                    "fieldsV1": fields_v1(paths),
                }
                for (manager, operation), paths in sorted(self.owned[ref].items())
            ]
        return cloned(new)

    def _notify(self, commit: Commit) -> None:
        for listener in list(self.listeners):
            listener(commit)


def _precondition(meta: Mapping[str, Any], old: Object) -> None:
    version = meta.get("resourceVersion")
    if version is not None and version != old["metadata"]["resourceVersion"]:
        raise Conflict(409, "Conflict", "the object has been modified")


def _matches(obj: Object, selector: str) -> bool:
    labels = obj["metadata"].get("labels", {})
    for term in filter(None, selector.split(",")):
        key, equals, value = term.partition("=")
        if key not in labels or (equals and labels[key] != value):
            return False
    return True
