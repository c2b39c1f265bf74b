"""Who has a hostname: of two objects that claim one Gateway, host and match, the older one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.cluster.cache import Key
from merit.traffic.claims import Claimant, Claims, claims_of

Object = Mapping[str, Any]


class Contest:
    """The claims of all ModelDeployments, kept up to date as they are seen."""

    def __init__(self) -> None:
        self._claims = Claims()

    def seen(self, key: Key, obj: Object | None) -> set[Key]:
        """The object as it is now, None when it is gone. Returns whom else that concerns."""
        if obj is None:
            others = self._claims.drop(key)
        else:
            others = self._claims.put(key, _claimant(obj), claims_of(_declared(obj), key.namespace))
        return {other for other in others if isinstance(other, Key)}

    def declared(self, obj: Object) -> str:
        """Who is older and has what this object declares, as a sentence; or nothing."""
        return self._told(obj, _declared(obj))

    def standing(self, obj: Object, route: Object | None) -> bool:
        """Whether somebody older has what the route of this object, as it stands, claims."""
        return route is not None and bool(self._told(obj, route.get("spec") or {}))

    def _told(self, obj: Object, route: Object) -> str:
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
