"""The informer cache: a projection of every watched object, read without a call.

Objects are projected to save memory: a ModelDeployment has up to a dozen children, and the whole
objects of a fleet of thousands would not fit beside kopf's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from merit.api.names import FIELD_MANAGER, KIND, LABEL_NAME
from merit.kube.applied_digest import DIGESTED, applied_digest

Object = dict[str, Any]


class Key(NamedTuple):
    """One ModelDeployment."""

    namespace: str
    name: str


class Cache:
    """The newest known projection of every watched object."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[Key, Object]] = {}
        self._children: dict[Key, dict[str, set[str]]] = {}

    def put(self, kind: str, obj: Mapping[str, Any]) -> bool:
        """Keep it if it is newer than the known version; returns whether it is.

        The reply to our own write goes in at once, so an older watch event must not replace it.
        """
        metadata = obj["metadata"]
        place = Key(metadata.get("namespace", ""), metadata["name"])
        known = self._objects.setdefault(kind, {}).get(place)
        if known is not None and not _newer(metadata, known["metadata"]):
            return False
        if known is not None:
            self._unlink(kind, known)
        kept = project(kind, obj)
        self._objects[kind][place] = kept
        owner = label_key(kept)
        if owner is not None and kind != KIND:
            self._children.setdefault(owner, {}).setdefault(kind, set()).add(place.name)
        return True

    def drop(self, kind: str, namespace: str, name: str, uid: str | None = None) -> Object | None:
        """Remove it, if it is still the object of that uid. Returns what was removed."""
        place = Key(namespace, name)
        known = self._objects.get(kind, {}).get(place)
        if known is None or (uid is not None and known["metadata"].get("uid") != uid):
            return None
        del self._objects[kind][place]
        self._unlink(kind, known)
        return known

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """The projection, or None. The caller must not change it."""
        return self._objects.get(kind, {}).get(Key(namespace, name))

    def children(self, namespace: str, name: str, kind: str) -> list[Object]:
        """All objects of that kind that carry the label of this ModelDeployment, by name."""
        names = self._children.get(Key(namespace, name), {}).get(kind, ())
        return [self._objects[kind][Key(namespace, child)] for child in sorted(names)]

    def keys(self) -> set[Key]:
        """All ModelDeployments."""
        return set(self._objects.get(KIND, ()))

    def known(self, kind: str) -> dict[str, Object]:
        """All objects of a kind by uid."""
        return {obj["metadata"]["uid"]: obj for obj in self._objects.get(kind, {}).values()}

    def known_by_uid(self, kind: str, obj: Mapping[str, Any]) -> Object | None:
        """The projection of this object; None without one, or if it is another of that name."""
        metadata = obj["metadata"]
        known = self.get(kind, metadata.get("namespace", ""), metadata["name"])
        same = known is not None and known["metadata"].get("uid") == metadata.get("uid")
        return known if same else None

    def _unlink(self, kind: str, obj: Object) -> None:
        owner = label_key(obj)
        kinds = self._children.get(owner) if owner is not None else None
        if owner is None or kinds is None or kind not in kinds:
            return
        kinds[kind].discard(obj["metadata"]["name"])
        if not kinds[kind]:
            del kinds[kind]
        if not kinds:
            del self._children[owner]


def owner_key(kind: str, obj: Mapping[str, Any]) -> Key | None:
    """The ModelDeployment that an object belongs to, or None.

    By its controller reference; for pods and EndpointSlices, whose controller is a ReplicaSet or a
    Service, by the label.
    """
    metadata = obj["metadata"]
    namespace = metadata.get("namespace", "")
    if kind == KIND:
        return Key(namespace, metadata["name"])
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("controller") and owner.get("kind") == KIND:
            return Key(namespace, owner["name"])
    return label_key(obj)


def label_key(obj: Mapping[str, Any]) -> Key | None:
    """The ModelDeployment that the label names, or None."""
    metadata = obj["metadata"]
    name = (metadata.get("labels") or {}).get(LABEL_NAME)
    return Key(metadata.get("namespace", ""), name) if name else None


def project(kind: str, obj: Mapping[str, Any]) -> Object:
    """The fields that are read anywhere; never managedFields."""
    kept: Object = {
        "apiVersion": obj.get("apiVersion", ""),
        "kind": kind,
        "metadata": _metadata(obj["metadata"]),
    }
    kept.update(_PROJECTIONS[kind](obj) if kind in _PROJECTIONS else _spec_and_status(obj))
    if kind in DIGESTED:
        kept["appliedDigest"] = applied_digest(obj)
    return kept


_METADATA = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "labels",
    "ownerReferences",
)


def _metadata(metadata: Mapping[str, Any]) -> Object:
    kept = _only(metadata, _METADATA)
    # Annotations of others may be large (the last applied manifest); ours are words.
    annotations = {
        name: value
        for name, value in (metadata.get("annotations") or {}).items()
        if name.startswith("merit.dev/")
    }
    if annotations:
        kept["annotations"] = annotations
    return kept


def _model_deployment(obj: Mapping[str, Any]) -> Object:
    ours, foreign = pin_owners(obj["metadata"].get("managedFields") or ())
    return _spec_and_status(obj) | {"pinOurs": ours, "pinForeign": foreign}


def pin_owners(managed: Any) -> tuple[bool, bool]:
    """Whether we apply spec.rollback, and whether another applier does."""
    ours = foreign = False
    for entry in managed:
        spec = (entry.get("fieldsV1") or {}).get("f:spec") or {}
        if entry.get("operation") != "Apply" or "f:rollback" not in spec:
            continue
        if entry.get("manager") == FIELD_MANAGER:
            ours = True
        else:
            foreign = True
    return ours, foreign


def _spec_and_status(obj: Mapping[str, Any]) -> Object:
    return _only(obj, ("spec", "status"))


def _parts(*fields: str, status: bool) -> Callable[[Mapping[str, Any]], Object]:
    """A projection that keeps these fields of the spec, and perhaps the status."""

    def projection(obj: Mapping[str, Any]) -> Object:
        kept: Object = {"spec": _only(obj.get("spec") or {}, fields)}
        return kept | {"status": obj.get("status") or {}} if status else kept

    return projection


def _pod(obj: Mapping[str, Any]) -> Object:
    status = obj.get("status") or {}
    parts = ("phase", "reason", "message", "startTime", "conditions")
    kept = _only(status, parts)
    for group in ("initContainerStatuses", "containerStatuses"):
        if group in status:
            fields = ("name", "ready", "restartCount", "state", "lastState", "imageID", "image")
            kept[group] = [_only(container, fields) for container in status[group]]
    return {"spec": _only(obj.get("spec") or {}, ("nodeName",)), "status": kept}


def _job(obj: Mapping[str, Any]) -> Object:
    """With the names of the containers that were asked for; webhooks may add others to its pods."""
    kept = _parts("backoffLimit", "suspend", "activeDeadlineSeconds", status=True)(obj)
    pod = ((obj.get("spec") or {}).get("template") or {}).get("spec") or {}
    return kept | {"containers": [c.get("name", "") for c in pod.get("containers") or ()]}


def _endpoint_slice(obj: Mapping[str, Any]) -> Object:
    endpoints = [
        _only(endpoint, ("conditions", "targetRef")) for endpoint in obj.get("endpoints") or ()
    ]
    return {"endpoints": endpoints, "ports": obj.get("ports") or []}


_PROJECTIONS: dict[str, Callable[[Mapping[str, Any]], Object]] = {
    KIND: _model_deployment,
    # Its template is not kept: an edit of it shows in the digest.
    "Deployment": _parts("replicas", "paused", "selector", status=True),
    "Pod": _pod,
    "Job": _job,
    "Service": _parts("selector", "ports", "clusterIP", status=False),
    "EndpointSlice": _endpoint_slice,
    # Its status changes every 15 s and is not read.
    "HorizontalPodAutoscaler": _parts("minReplicas", "maxReplicas", status=False),
    "PodDisruptionBudget": lambda _: {},
}


def _only(part: Mapping[str, Any], names: tuple[str, ...]) -> Object:
    return {name: part[name] for name in names if name in part}


def _newer(new: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    old_version, version = known.get("resourceVersion", ""), new.get("resourceVersion", "")
    try:
        return int(version) > int(old_version)
    except ValueError:
        return bool(version != old_version)  # not integers: they have no order, so the last counts
