"""How a write changes an object: merge patch (RFC 7386), and the fields of server-side apply.

A field is a path, a tuple of keys. Lists are atomic, and so are `spec.rollback` and selectors: one
value with one manager.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Mapping
from typing import Any

Path = tuple[str, ...]
Object = dict[str, Any]

_ATOMIC: frozenset[Path] = frozenset({("spec", "rollback"), ("spec", "selector")})
_IDENTITY = frozenset(
    {
        ("apiVersion",),
        ("kind",),
        ("metadata", "name"),
        ("metadata", "namespace"),
        ("metadata", "uid"),
        ("metadata", "resourceVersion"),
        ("metadata", "generation"),
        ("metadata", "creationTimestamp"),
    }
)


def cloned(obj: Any) -> Any:
    """A copy of plain data, ten times as fast as deepcopy, which would dominate a run's time."""
    return marshal.loads(marshal.dumps(obj))


def merged(old: Any, patch: Any) -> Any:
    """The merge patch applied; null removes. Unchanged parts are shared with the old object."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(old) if isinstance(old, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def fields(obj: Mapping[str, Any]) -> dict[Path, Any]:
    """Every leaf of an object with its value, except what identifies the object."""
    found: dict[Path, Any] = {}

    def walk(value: Any, path: Path) -> None:
        if isinstance(value, Mapping) and value and path not in _ATOMIC:
            for key, child in value.items():
                walk(child, (*path, key))
        elif path not in _IDENTITY and path != ("metadata", "managedFields"):
            found[path] = value

    walk(obj, ())
    return found


def put(obj: Object, path: Path, value: Any) -> None:
    """Set one field, with the maps on the way to it."""
    for key in path[:-1]:
        child = obj.get(key)
        if not isinstance(child, dict):
            child = obj[key] = {}
        obj = child
    obj[path[-1]] = value


def remove(obj: Object, path: Path) -> None:
    """Remove one field, and the maps that are empty then."""
    trail: list[tuple[Object, str]] = []
    for key in path[:-1]:
        trail.append((obj, key))
        obj = obj.get(key, {})
        if not isinstance(obj, dict):
            return
    obj.pop(path[-1], None)
    for parent, key in reversed(trail):
        if parent.get(key) == {}:
            del parent[key]


def fields_v1(paths: Iterable[Path]) -> Object:
    """Paths as Kubernetes writes them into managedFields."""
    tree: Object = {}
    for path in sorted(paths):
        node = tree
        for key in path:
            node = node.setdefault("f:" + key, {})
    return tree
