"""Who leads: one Lease, held by at most one replica, and given back on the way out.

No clock of another machine is believed. A holder counts from the moment before it asked, a standby
from the moment at which it last saw the record change, so a jump of any wall clock does no harm.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from merit.cluster.errors import ApiError, Conflict

log = logging.getLogger(__name__)

Object = dict[str, Any]
API = "coordination.k8s.io/v1"


class LeaseLost(Exception):
    """Somebody else leads, or nobody knows. This process must not write any more, ever."""


class Leases(Protocol):
    """What of `Cluster` a Lease needs."""

    async def create(self, obj: Object, *, dry_run: bool = ..., timeout: float = ...) -> Object: ...
    async def replace(self, obj: Object, *, timeout: float = ...) -> Object: ...
    async def get(
        self, api_version: str, kind: str, namespace: str | None, name: str, *, timeout: float = ...
    ) -> Object | None: ...


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. `deadline` is below `duration` by more than one `call`: a hung write cannot land."""

    duration: float = 12.0
    renew: float = 4.0
    deadline: float = 8.0
    poll: float = 2.0
    call: float = 3.0


class Lease:
    """`acquire`, then `keep` until it raises LeaseLost, then `release` if leaving by choice."""

    def __init__(
        self,
        cluster: Leases,
        *,
        namespace: str,
        name: str,
        identity: str,
        timing: Timing = Timing(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._timing = timing
        self._clock = clock
        self._record: Object | None = None
        self._changed = 0.0
        self._last_ok = 0.0
        self.leading = False

    async def acquire(self) -> None:
        """Wait until this process leads."""
        while not await self.attempt():
            await asyncio.sleep(self._timing.poll * random.uniform(0.8, 1.0))

    async def keep(self) -> None:
        """Renew for ever. LeaseLost when somebody else holds it, or no renewal succeeds in time."""
        while True:
            await asyncio.sleep(self._timing.renew * random.uniform(0.9, 1.0))
            while not await self.renew():
                await asyncio.sleep(0.5)

    async def attempt(self) -> bool:
        """One try to lead. Failing calls are no news: a standby waits."""
        asked = self._clock()
        try:
            found = await self._cluster.get(
                API, "Lease", self._namespace, self._name, timeout=self._timing.call
            )
            if found is None:
                taken = await self._cluster.create(self._mine(None), timeout=self._timing.call)
            else:
                self._look(found)
                if not self._free(found):
                    return False
                taken = await self._cluster.replace(self._mine(found), timeout=self._timing.call)
        except Conflict:
            return False
        except ApiError as error:
            log.warning("the lease cannot be read or written: %s", error)
            return False
        self._record, self._last_ok, self.leading = taken, asked, True
        return True

    async def renew(self) -> bool:
        """One renewal. False if it failed but there is time left; LeaseLost if there is none."""
        asked = self._clock()
        try:
            self._record = await self._cluster.replace(
                self._mine(self._record), timeout=self._timing.call
            )
        except Conflict as error:
            # Somebody wrote it. If it still names us, it was a label or the like.
            return await self._still_mine(error)
        except ApiError as error:
            if self.overdue():
                raise self._lost("not renewed in time") from error
            log.warning("the lease was not renewed: %s", error)
            return False
        self._last_ok = asked
        return True

    async def release(self) -> None:
        """Give it up at once, so that a standby need not wait for it to expire."""
        if not self.leading or self._record is None:
            return
        self.leading = False
        free = self._mine(self._record)
        free["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
        try:
            await self._cluster.replace(free, timeout=1.0)
        except ApiError as error:
            log.warning("the lease was not released, it expires by itself: %s", error)

    def overdue(self) -> bool:
        """Whether it leads by its own belief only. Safe to ask from another thread."""
        return self.leading and self._clock() - self._last_ok > self._timing.deadline

    def may_decide(self, timeout: float) -> bool:
        """Whether a write that takes up to `timeout` seconds ends while the lease surely holds."""
        return self.leading and self._clock() < self._last_ok + self._timing.deadline - timeout

    async def _still_mine(self, error: Conflict) -> bool:
        try:
            found = await self._cluster.get(
                API, "Lease", self._namespace, self._name, timeout=self._timing.call
            )
        except ApiError:
            if self.overdue():
                raise self._lost("not renewed in time") from error
            return False
        if found is None or found["spec"].get("holderIdentity") != self._identity:
            raise self._lost("somebody else took it") from error
        self._record = found
        return False

    def _lost(self, why: str) -> LeaseLost:
        # `leading` stays true: the watchdog must still fire if this exception goes nowhere.
        return LeaseLost(f"lost the lease {self._namespace}/{self._name}: {why}")

    def _look(self, found: Object) -> None:
        known = (self._record or {}).get("metadata", {}).get("resourceVersion")
        if found["metadata"].get("resourceVersion") != known:
            self._record, self._changed = found, self._clock()

    def _free(self, found: Object) -> bool:
        holder = found["spec"].get("holderIdentity")
        if not holder or holder == self._identity:
            return True
        lasts = float(found["spec"].get("leaseDurationSeconds") or self._timing.duration)
        return self._clock() - self._changed > lasts

    def _mine(self, found: Object | None) -> Object:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        before: Object = found["spec"] if found else {}
        same = before.get("holderIdentity") == self._identity
        spec = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(self._timing.duration),
            "acquireTime": before.get("acquireTime", now) if same else now,
            "renewTime": now,
            "leaseTransitions": int(before.get("leaseTransitions") or 0) + (not same),
        }
        metadata: Object = {"name": self._name, "namespace": self._namespace}
        if found:
            metadata = {**found["metadata"]}
            metadata.pop("managedFields", None)
        return {"apiVersion": API, "kind": "Lease", "metadata": metadata, "spec": spec}


def watchdog(
    lease: Lease, *, end: Callable[[int], Any] = os._exit, every: float = 0.25
) -> threading.Thread:
    """A thread that ends the process once the lease is overdue: the event loop may be what hangs.

    It never resumes in the same process, because a paused process holds stale views.
    """

    def watch() -> None:
        while not lease.overdue():
            time.sleep(every)
        log.critical("the lease was not renewed in time: leaving")
        end(1)

    thread = threading.Thread(target=watch, name="lease-watchdog", daemon=True)
    thread.start()
    return thread
