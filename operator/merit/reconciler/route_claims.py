"""Who owns a hostname: of two objects that claim one Gateway, host and match, the older one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.kube.cache import Key
from merit.traffic.claims import Claimant, Claims, claims_of

Object = Mapping[str, Any]


class RouteClaims:
    """The claims of all ModelDeployments, kept up to date with the cache."""

    def __init__(self) -> None:
        self._claims = Claims()

    def update(self, key: Key, obj: Object | None) -> set[Key]:
        """The object as it is now, None when it is gone. Returns which others that affects."""
        if obj is None:
            others = self._claims.drop(key)
        else:
            others = self._claims.put(key, _claimant(obj), claims_of(_declared(obj), key.namespace))
        return {other for other in others if isinstance(other, Key)}

    def refusal(self, obj: Object) -> str:
        """Which older object owns what this one declares, as a sentence; empty if none does."""
        return self._owner(obj, _declared(obj))

    def is_contested(self, obj: Object, route: Object | None) -> bool:
        """Whether an older object owns what the existing route of this object claims."""
        return route is not None and bool(self._owner(obj, route.get("spec") or {}))

    def _owner(self, obj: Object, route: Object) -> str:
        claimant = _claimant(obj)
        found = self._claims.older(claimant, claims_of(route, claimant.namespace))
        if found is None:
            return ""
        older, claim = found
        return (
            f"{claim.host} at Gateway {claim.gateway} is taken by {older.namespace}/{older.name}, "
            "which is older: take another hostname or match"
        )


def _declared(obj: Object) -> Object:
    route: Any = obj.get("spec")
    for part in ("rollout", "route", "gateway"):
        route = route.get(part) if isinstance(route, Mapping) else None
    return route if isinstance(route, Mapping) else {}


def _claimant(obj: Object) -> Claimant:
    metadata = obj["metadata"]
    since = str(metadata.get("creationTimestamp", ""))
    return Claimant(since, metadata.get("namespace", ""), metadata["name"])
