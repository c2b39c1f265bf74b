"""Who has a hostname: of two objects that claim one Gateway, host and match, whose route serves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.kube.cache import Key
from merit.traffic.claims import Claims, Holder, claims_of, held_claims

Object = Mapping[str, Any]


class RouteClaims:
    """What the accepted routes hold, kept up to date with the cache, and which objects wait."""

    def __init__(self) -> None:
        self._claims = Claims()
        self._waiting: dict[Key, set[Key]] = {}  # by the holder that they wait for

    def update(self, key: Key, route: Object | None) -> set[Key]:
        """The route of that name as it is now, None when it is gone. Returns who waited for it."""
        if route is None:
            changed = self._claims.drop(key)
        else:
            since = str(route["metadata"].get("creationTimestamp", ""))
            changed = self._claims.put(key, Holder(since, *key), held_claims(route))
        return self._waiting.pop(key, set()) if changed else set()

    def forget(self, key: Key) -> None:
        """The object is gone: it waits for nothing."""
        for waiting in self._waiting.values():
            waiting.discard(key)

    def refusal(self, key: Key, obj: Object) -> str:
        """Whose route has what this object declares, as a sentence; empty if nobody's has."""
        found = self._claims.holder(key, claims_of(_declared(obj), key.namespace))
        if found is None:
            return ""
        (_, *place), claim = found
        self._waiting.setdefault(Key(*place), set()).add(key)
        return (
            f"{claim.host} at Gateway {claim.gateway} is taken by {'/'.join(place)}, "
            "whose route serves it: take another hostname or match"
        )


def _declared(obj: Object) -> Object:
    route: Any = obj.get("spec")
    for part in ("rollout", "route", "gateway"):
        route = route.get(part) if isinstance(route, Mapping) else None
    return route if isinstance(route, Mapping) else {}
