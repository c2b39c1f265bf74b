"""Compares the cache with lists from the API server, and so finds what a broken watch missed.

After a watch has expired, kopf lists again but reports no deletion that it missed meanwhile; a
watch may also fail without an error. Without this, such objects would stay in the cache for ever.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Collection, Iterable

from merit.kube.cache import Cache
from merit.kube.client import Cluster, Object
from merit.kube.errors import ApiError
from merit.kube.watch_health import WatchHealth
from merit.kube.watches import Watched

log = logging.getLogger(__name__)

INTERVAL = 600.0
LAG = 120.0
"""Seconds that a watch may be behind a list before it counts as broken."""
SILENCE = 1500.0
"""Seconds (two lists and more) that a kind may go without a confirmation that its view is fresh."""


class Relist:
    """Lists every kind now and then, and corrects the cache."""

    def __init__(
        self,
        cluster: Cluster,
        cache: Cache,
        watch_health: WatchHealth,
        kinds: Iterable[Watched],
        *,
        namespaces: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._cache = cache
        self._watch_health = watch_health
        self._kinds = tuple(kinds)
        self._namespaces: tuple[str | None, ...] = tuple(namespaces) or (None,)
        self._clock = clock
        self._behind: dict[tuple[str, str], tuple[str, float]] = {}
        self.stale: set[str] = set()
        """Kinds whose watch was found more than LAG behind; only a restart repairs that."""

    async def fill(self) -> None:
        """List everything into the cache once, so that no decision rests on a part of it."""
        for kind in self._kinds:
            for obj in await self._list(kind, metadata_only=False):
                self._watch_health.seen(kind.kind, obj)
            self._watch_health.confirm(kind.kind)

    async def run(self) -> None:
        """List each kind for ever, each at times of its own."""
        async with asyncio.TaskGroup() as group:
            for kind in self._kinds:
                group.create_task(self._forever(kind))

    async def once(self, kind: Watched) -> bool:
        """List a kind once. True unless the cache is behind that list."""
        before = self._cache.known(kind.kind)  # read first: what is made meanwhile is not missing
        listed = await self._list(kind, metadata_only=not kind.listed)
        found = {obj["metadata"]["uid"]: obj for obj in listed}
        for obj in listed if kind.listed else ():
            self._watch_health.seen(kind.kind, obj)
        for uid, known in before.items():
            if uid not in found:  # a list is no older than its request: so it was deleted
                metadata = known["metadata"]
                self._watch_health.lost(kind.kind, metadata["namespace"], metadata["name"], uid)
        late = {uid: obj for uid, obj in found.items() if self._is_behind(kind, obj)}
        now = self._clock()
        for uid in [uid for name, uid in self._behind if name == kind.kind and uid not in late]:
            del self._behind[kind.kind, uid]
        for uid, obj in late.items():
            version = obj["metadata"]["resourceVersion"]
            self._behind.setdefault((kind.kind, uid), (version, now))
        if not late:
            self._watch_health.confirm(kind.kind)
        return not late

    async def recheck(self, kind: Watched) -> None:
        """Check what was behind at the last list: if it still is, that watch is broken."""
        for (name, uid), (version, since) in list(self._behind.items()):
            if name != kind.kind or self._clock() - since < LAG:
                continue
            known = self._cache.known(name).get(uid)
            if known is not None and _at_least(known, version):
                del self._behind[name, uid]
                continue
            if await self._put(kind, uid):
                self.stale.add(name)
                log.error("the watch of %s is behind the API server: restart needed", name)
            self._behind.pop((name, uid), None)

    def sick(self) -> list[str]:
        """Kinds whose view cannot be trusted."""
        return sorted({*self.stale, *self._watch_health.silent(SILENCE)})

    async def _forever(self, kind: Watched) -> None:
        while True:
            await asyncio.sleep(INTERVAL * random.uniform(0.8, 1.0))
            try:
                if not await self.once(kind):
                    await asyncio.sleep(LAG + 1)
                    await self.recheck(kind)
            except ApiError as error:
                log.warning("%s cannot be listed: %s", kind.plural, error)

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

    async def _put(self, kind: Watched, uid: str) -> bool:
        """Put the object into the cache. False if it is gone, so that nothing was behind."""
        for obj in await self._list(kind, metadata_only=False):
            if obj["metadata"]["uid"] == uid:
                self._watch_health.seen(kind.kind, obj)
                return True
        return False


def _at_least(known: Object, version: str) -> bool:
    ours = known["metadata"].get("resourceVersion", "")
    try:
        return int(ours) >= int(version)
    except ValueError:
        return bool(ours == version)
