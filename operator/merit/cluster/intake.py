"""What an event does: the projection goes into the cache, the owner's key into the queue."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from merit.cluster.cache import OURS, Cache, Key, label_key, owner_key


class Intake:
    """Fills the cache, wakes owners, and remembers when each kind was last proved fresh.

    `concerned` is told of every resource of ours that is new, changed or gone (None), and answers
    whom else that concerns.
    """

    def __init__(
        self,
        cache: Cache,
        wake: Callable[[Key], None],
        *,
        concerned: Callable[[Key, dict[str, Any] | None], set[Key]] = lambda key, obj: set(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cache = cache
        self._wake = wake
        self._concerned = concerned
        self._clock = clock
        self._proved: dict[str, float] = {}

    def seen(self, kind: str, obj: dict[str, Any], gone: bool = False) -> None:
        """An event, a listed object, or the reply to a write."""
        self.proved(kind)
        metadata = obj["metadata"]
        before = self._cache.get(kind, metadata.get("namespace", ""), metadata["name"])
        if gone:
            self.lost(kind, metadata.get("namespace", ""), metadata["name"], metadata.get("uid"))
        elif self._cache.put(kind, obj):
            woken = {owner_key(kind, obj)}
            if before is not None and kind != OURS:
                woken.add(label_key(before))  # its label may have been changed to another's
            if kind == OURS:
                own = Key(metadata.get("namespace", ""), metadata["name"])
                woken |= self._concerned(own, obj)
            for key in woken - {None}:
                assert key is not None
                self._wake(key)

    def lost(self, kind: str, namespace: str, name: str, uid: str | None) -> None:
        """It has gone."""
        forgotten = self._cache.drop(kind, namespace, name, uid)
        key = owner_key(kind, forgotten) if forgotten is not None else None
        if key is not None:
            self._wake(key)
        if forgotten is not None and kind == OURS:
            for other in self._concerned(Key(namespace, name), None):
                self._wake(other)

    def proved(self, kind: str) -> None:
        """The watch of this kind works: an event came, or a sweep agrees with the cache."""
        self._proved[kind] = self._clock()

    def ages(self) -> dict[str, float]:
        """Seconds since the last such proof, by kind."""
        now = self._clock()
        return {kind: now - at for kind, at in self._proved.items()}

    def silent(self, limit: float) -> list[str]:
        """Kinds without such a proof for `limit` seconds."""
        return sorted(kind for kind, age in self.ages().items() if age > limit)
