"""What the operator declared of a child, as the API server stores it: so an edit of that is seen.

What others add beside it is nobody's business: the annotation of `kubectl rollout restart`, another
variable, a sidecar, defaults, the replicas that an autoscaler sets.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from merit.api.names import FIELD_MANAGER

DIGESTED = frozenset(
    {"Deployment", "Service", "HTTPRoute", "HorizontalPodAutoscaler", "PodDisruptionBudget"}
)
"""Kinds whose edits by others are found and undone: their projection has an `appliedDigest`."""
_DETACHED = ("kustomize.toolkit.fluxcd.io/reconcile", "helm.toolkit.fluxcd.io/driftDetection")


def applied_digest(obj: Mapping[str, Any]) -> str:
    """12 hex digits over the fields of the spec that are ours, and our labels and annotations.

    `managedFields` has whose they are: whoever changes a field takes it over, and so the digest
    changes. Without any, the whole spec counts. The generation would not do: each scaling raises
    it, and not every kind has one.
    """
    metadata = obj["metadata"]
    spec = {k: v for k, v in (obj.get("spec") or {}).items() if k != "replicas"}
    if managed := metadata.get("managedFields"):
        trees = [entry.get("fieldsV1") or {} for entry in managed if _is_from_us(entry)]
        spec = _owned(spec, [tree["f:spec"] for tree in trees if "f:spec" in tree])
    ours = [
        {k: v for k, v in (metadata.get(part) or {}).items() if _is_ours(k)}
        for part in ("labels", "annotations")
    ]
    text = json.dumps([spec, ours], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _is_from_us(entry: Mapping[str, Any]) -> bool:
    return entry.get("manager") == FIELD_MANAGER and not entry.get("subresource")


def _is_ours(name: str) -> bool:
    return name.startswith(("merit.dev/", "app.kubernetes.io/managed-by")) or name in _DETACHED


def _owned(value: Any, trees: Iterable[Mapping[str, Any]]) -> Any:
    """The parts of a value that these trees of FieldsV1 name; a leaf names all of it."""
    below = [{k: v for k, v in tree.items() if k != "."} for tree in trees]
    if not below or not all(below):
        return value if below else {}
    if isinstance(value, Mapping):
        names = sorted({key[2:] for tree in below for key in tree if key.startswith("f:")})
        parts = {n: [tree[f"f:{n}"] for tree in below if f"f:{n}" in tree] for n in names}
        return {name: _owned(value[name], parts[name]) for name in names if name in value}
    if isinstance(value, list):
        keys = sorted({key for tree in below for key in tree if key.startswith("k:")})
        items = {key: _item(value, json.loads(key[2:])) for key in keys}
        return {
            key: _owned(item, [tree[key] for tree in below if key in tree])
            for key, item in items.items()
            if item is not None
        }
    return value


def _item(items: list[Any], keys: Mapping[str, Any]) -> Any:
    """The item of an associative list that has these keys."""
    return next(
        (i for i in items if isinstance(i, Mapping) and all(i.get(k) == keys[k] for k in keys)),
        None,
    )
