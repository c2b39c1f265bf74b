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
from merit.kube.errors import ApiError, Forbidden
from merit.kube.watch_health import WatchHealth
from merit.kube.watches import Watched

log = logging.getLogger(__name__)

INTERVAL = 600.0
LAG = 120.0
"""Seconds that a watch may be behind a list before it counts as broken."""
SILENCE = 1500.0
"""Seconds (two lists and more) that a kind may go without a confirmation that its view is fresh."""
REOPEN = 60.0
"""Seconds between two attempts to list a namespace that could not be listed."""


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
        self._forbidden: dict[tuple[str, str], float] = {}
        """When a list of this kind in this namespace was first forbidden; gone once it is not."""
        self.stale: set[str] = set()
        """Kinds whose watch was found more than LAG behind; only a restart repairs that."""
        self.closed: set[str] = set()
        """Namespaces that may not be listed: deleted with the Role in them, or a right is missing.

        What the cache has of them is a part at best, so nothing may be decided on it.
        """

    async def fill(self) -> None:
        """List everything into the cache once, so that no decision rests on a part of it.

        A namespace that may not be listed is skipped; Forbidden if that is so of all.
        """
        refused = [error for each in self._namespaces if (error := await self._open(each))]
        if len(refused) == len(self._namespaces):
            raise refused[0]
        for kind in self._kinds:
            self._watch_health.confirm(kind.kind)

    async def run(self) -> None:
        """List each kind for ever, each at times of its own."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._reopen_forever())
            for kind in self._kinds:
                group.create_task(self._forever(kind))

    async def reopen(self) -> None:
        """Serve each closed namespace again that may be listed again."""
        for namespace in sorted(self.closed):
            if await self._open(namespace) is None:
                log.warning("namespace %s may be listed again", namespace)
                self.closed.discard(namespace)
                known = self._cache.keys()
                self._watch_health.wake(key for key in known if key.namespace == namespace)

    async def once(self, kind: Watched) -> bool:
        """List a kind once. True unless the cache is behind that list."""
        before = self._cache.known(kind.kind)  # read first: what is made meanwhile is not missing
        listed, unread = await self._list(kind, metadata_only=not kind.listed)
        found = {obj["metadata"]["uid"]: obj for obj in listed}
        for obj in listed if kind.listed else ():
            self._watch_health.seen(kind.kind, obj)
        for uid, known in before.items():
            metadata = known["metadata"]
            if uid not in found and metadata["namespace"] not in unread:
                # A list is no older than its request: so it was deleted.
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

    async def _reopen_forever(self) -> None:
        while True:
            await asyncio.sleep(REOPEN)
            try:
                await self.reopen()
            except ApiError as error:
                log.warning("a closed namespace cannot be listed: %s", error)

    async def _open(self, namespace: str | None) -> Forbidden | None:
        """List all of a namespace into the cache, or close it: then, what forbids that."""
        try:
            for kind in self._kinds:
                for obj in await self._list_in(namespace, kind, metadata_only=False):
                    self._watch_health.seen(kind.kind, obj)
        except Forbidden as error:
            self._close(namespace, error)
            return error
        return None

    def _close(self, namespace: str | None, error: Forbidden) -> None:
        if namespace is None or namespace in self.closed:
            return
        log.error("namespace %s is skipped until it may be listed: %s", namespace, error)
        self.closed.add(namespace)

    async def _list(self, kind: Watched, *, metadata_only: bool) -> tuple[list[Object], set[str]]:
        """What the cache should hold of a kind, and the namespaces of which that is not known."""
        found: list[Object] = []
        unread = set(self.closed)
        for namespace in self._namespaces:
            if namespace is None:
                return await self._list_in(None, kind, metadata_only=metadata_only), set()
            if namespace in unread:
                continue
            place = kind.kind, namespace
            try:
                found += await self._list_in(namespace, kind, metadata_only=metadata_only)
                self._forbidden.pop(place, None)
            except Forbidden as error:
                unread.add(namespace)
                if self._clock() - self._forbidden.setdefault(place, self._clock()) > SILENCE:
                    self._forget(namespace)
                    self._close(namespace, error)
        return found, unread

    def _forget(self, namespace: str) -> None:
        """A namespace may have been deleted without an event of the objects in it."""
        for kind in self._kinds:
            for uid, known in self._cache.known(kind.kind).items():
                if known["metadata"]["namespace"] == namespace:
                    name = known["metadata"]["name"]
                    self._watch_health.lost(kind.kind, namespace, name, uid)

    async def _list_in(
        self, namespace: str | None, kind: Watched, *, metadata_only: bool
    ) -> list[Object]:
        return await self._cluster.list(
            kind.api_version,
            kind.kind,
            namespace=namespace,
            labels=kind.labels,
            metadata_only=metadata_only,
        )

    def _is_behind(self, kind: Watched, obj: Object) -> bool:
        known = self._cache.known_by_uid(kind.kind, obj)
        return known is None or not _at_least(known, obj["metadata"]["resourceVersion"])

    async def _put(self, kind: Watched, uid: str) -> bool:
        """Put the object into the cache. False if it is gone, so that nothing was behind."""
        listed, _ = await self._list(kind, metadata_only=False)
        for obj in listed:
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
