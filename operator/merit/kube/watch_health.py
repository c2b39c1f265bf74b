"""What a watch event does: it updates the cache, wakes the owner, and confirms that it works."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from merit.api.names import KIND
from merit.kube.cache import Cache, Key, label_key, owner_key

ROUTE = "HTTPRoute"


class WatchHealth:
    """Applies events to the cache and remembers when each kind was last confirmed to be fresh.

    `wake`: called with every ModelDeployment that an event concerns. `affected`: is given each
    HTTPRoute that is new, changed or gone (None), and returns which others that concerns.
    """

    def __init__(
        self,
        cache: Cache,
        wake: Callable[[Key], None],
        *,
        affected: Callable[[Key, dict[str, Any] | None], set[Key]] = lambda key, obj: set(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cache = cache
        self._wake = wake
        self._affected = affected
        self._clock = clock
        self._confirmed: dict[str, float] = {}

    def seen(self, kind: str, obj: dict[str, Any], gone: bool = False) -> None:
        """An event, a listed object, or the reply to a write."""
        self.confirm(kind)
        metadata = obj["metadata"]
        key = Key(metadata.get("namespace", ""), metadata["name"])
        if gone:
            self.lost(kind, *key, metadata.get("uid"))
            return
        before = self._cache.get(kind, *key)
        if not self._cache.put(kind, obj):
            return
        owners = {owner_key(kind, obj)}
        if kind == ROUTE:
            owners |= self._affected(key, obj)
        if kind != KIND and before is not None:
            owners.add(label_key(before))  # its label may have been changed to another's
        self.wake(owners)

    def lost(self, kind: str, namespace: str, name: str, uid: str | None) -> None:
        """The object has been deleted."""
        forgotten = self._cache.drop(kind, namespace, name, uid)
        if forgotten is None:
            return
        self.wake({owner_key(kind, forgotten)})
        if kind == ROUTE:
            self.wake(self._affected(Key(namespace, name), None))

    def confirm(self, kind: str) -> None:
        """The watch of this kind works: an event came, or a list agrees with the cache."""
        self._confirmed[kind] = self._clock()

    def ages(self) -> dict[str, float]:
        """Seconds since the last confirmation, by kind."""
        now = self._clock()
        return {kind: now - at for kind, at in self._confirmed.items()}

    def silent(self, limit: float) -> list[str]:
        """Kinds without a confirmation for `limit` seconds."""
        return sorted(kind for kind, age in self.ages().items() if age > limit)

    def wake(self, keys: Iterable[Key | None]) -> None:
        """Reconcile these, if they are any."""
        for key in keys:
            if key is not None:
                self._wake(key)
