"""Mark and sweep: what a broken watch never said is found by listing.

After a watch is compacted away, kopf lists again but does not tell what was deleted meanwhile; a
watch may also die unnoticed. Without this, such objects would be believed for ever.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any, Protocol

from merit.cluster.cache import Cache
from merit.cluster.errors import ApiError
from merit.cluster.intake import Intake
from merit.cluster.watches import Watched

log = logging.getLogger(__name__)

Object = dict[str, Any]
INTERVAL = 600.0
LAG = 120.0
"""Seconds that a watch may be behind a sweep before it counts as dead."""
SILENCE = 1500.0
"""Seconds (two sweeps and more) that a kind may go without any proof of freshness."""


class Reads(Protocol):
    """What of `Cluster` a sweep needs."""

    async def list(
        self,
        api_version: str,
        kind: str,
        *,
        namespace: str | None = ...,
        labels: str = ...,
        timeout: float = ...,
        metadata_only: bool = ...,
    ) -> list[Object]: ...


class Sweep:
    """Compares the cache with the API server, and mends it."""

    def __init__(
        self,
        cluster: Reads,
        cache: Cache,
        intake: Intake,
        kinds: Iterable[Watched],
        *,
        namespaces: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._cache = cache
        self._intake = intake
        self._kinds = tuple(kinds)
        self._namespaces: tuple[str | None, ...] = tuple(namespaces) or (None,)
        self._clock = clock
        self._behind: dict[tuple[str, str], tuple[str, float]] = {}
        self.stale: set[str] = set()
        """Kinds whose watch was found more than LAG behind; only a restart mends that."""

    async def fill(self) -> None:
        """List everything once into the cache, so that no decision is made on half a view."""
        for kind in self._kinds:
            for obj in await self._list(kind, metadata_only=False):
                self._intake.seen(kind.kind, obj)
            self._intake.proved(kind.kind)

    async def run(self) -> None:
        """Sweep each kind for ever, at moments of its own."""
        async with asyncio.TaskGroup() as group:
            for kind in self._kinds:
                group.create_task(self._forever(kind))

    async def once(self, kind: Watched) -> bool:
        """One pass over a kind. True if the cache agreed, or is only moments behind."""
        before = self._cache.known(kind.kind)  # what is made while it lists is none of its news
        listed = await self._list(kind, metadata_only=not kind.listed)
        there = {obj["metadata"]["uid"]: obj for obj in listed}
        for obj in listed if kind.listed else ():
            self._intake.seen(kind.kind, obj)  # wakes its owner if that is news
        for uid, known in before.items():
            if uid not in there:  # a list is no older than its request: so it has gone
                metadata = known["metadata"]
                self._intake.lost(kind.kind, metadata["namespace"], metadata["name"], uid)
        late = {uid: obj for uid, obj in there.items() if self._is_behind(kind, obj)}
        now = self._clock()
        for uid in [uid for name, uid in self._behind if name == kind.kind and uid not in late]:
            del self._behind[kind.kind, uid]
        for uid, obj in late.items():
            version = obj["metadata"]["resourceVersion"]
            self._behind.setdefault((kind.kind, uid), (version, now))
        if not late:
            self._intake.proved(kind.kind)
        return not late

    async def recheck(self, kind: Watched) -> None:
        """Judge what was behind at the last pass: if it still is, that watch is dead."""
        for (name, uid), (version, since) in list(self._behind.items()):
            if name != kind.kind or self._clock() - since < LAG:
                continue
            known = self._cache.known(name).get(uid)
            if known is not None and _at_least(known, version):
                del self._behind[name, uid]
                continue
            if await self._mend(kind, uid):
                self.stale.add(name)
                log.error("the watch of %s is behind the API server: restart needed", name)
            self._behind.pop((name, uid), None)

    def sick(self) -> list[str]:
        """Kinds whose view cannot be trusted."""
        return sorted({*self.stale, *self._intake.silent(SILENCE)})

    async def _forever(self, kind: Watched) -> None:
        while True:
            await asyncio.sleep(INTERVAL * random.uniform(0.8, 1.0))
            try:
                if not await self.once(kind):
                    await asyncio.sleep(LAG + 1)
                    await self.recheck(kind)
            except ApiError as error:
                log.warning("sweep of %s: %s", kind.plural, error)

    async def _list(self, kind: Watched, *, metadata_only: bool) -> list[Object]:
        found: list[Object] = []
        for namespace in self._namespaces:
            found += await self._cluster.list(
                kind.api_version,
                kind.kind,
                namespace=namespace,
                labels=kind.labels,
                metadata_only=metadata_only,
            )
        return found

    def _is_behind(self, kind: Watched, obj: Object) -> bool:
        known = self._cache.known_by_uid(kind.kind, obj)
        return known is None or not _at_least(known, obj["metadata"]["resourceVersion"])

    async def _mend(self, kind: Watched, uid: str) -> bool:
        """Put the object itself into the cache. False if it is gone, so nothing was behind."""
        for obj in await self._list(kind, metadata_only=False):
            if obj["metadata"]["uid"] == uid:
                self._intake.seen(kind.kind, obj)
                return True
        return False


def _at_least(known: Object, version: str) -> bool:
    ours = known["metadata"].get("resourceVersion", "")
    try:
        return int(ours) >= int(version)
    except ValueError:
        return bool(ours == version)
