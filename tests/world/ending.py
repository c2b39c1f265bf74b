"""Two runs are compared by how they end: everything but times, uids, versions and measurements."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.world.world import World

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_NUMBER = re.compile(r"\b\d[\d,.]*(?![0-9a-z])")
_MEASURED = frozenset({"analysis", "signals", "next", "applied", "watch"})
_META = frozenset({"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"})


def ending(world: World) -> dict[str, str]:
    """Every object that is left, as text with what may differ masked, and the Jobs ever made."""
    left = {
        "/".join(ref): json.dumps(_masked(obj), sort_keys=True, indent=1)
        for ref, obj in sorted(world.store.objects.items())
        if ref[0] != "Event"  # a crash may lose one, or tell it twice
    }
    return left | {"jobs": json.dumps(sorted(world.monitor.jobs))}


def _masked(value: Any, path: tuple[str, ...] = ()) -> Any:
    if isinstance(value, dict):
        return {
            key: _masked(child, (*path, key))
            for key, child in value.items()
            if key not in _META
            and key not in ("observedGeneration", "started", "finishedAt")
            and not (path == ("status",) and key in _MEASURED)
        }
    if isinstance(value, list):
        return [_masked(child, path) for child in value]
    if isinstance(value, str):
        return _NUMBER.sub("#", _TIME.sub("T", value))
    return value
