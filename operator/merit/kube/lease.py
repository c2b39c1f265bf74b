"""Leader election: one Lease, held by at most one replica, and released when that one leaves.

No clock of another machine is used. A holder counts from the moment before it sent its request, a
standby from the moment at which it last saw the record change, on a monotonic clock: a jump of any
wall clock does no harm. ADR 3 says why the client's own leader election is not used.
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
from typing import Any

from merit.kube.client import Cluster, Object
from merit.kube.errors import ApiError, Conflict

log = logging.getLogger(__name__)

API = "coordination.k8s.io/v1"
LONGEST = 60.0
"""Seconds that a standby waits for a holder that does not renew, whatever the record claims."""


class LeaseLost(Exception):
    """Another replica leads, or may lead. This process must never write again."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. `deadline` is below `duration` by more than one `call`, so that no write of a holder
    that hangs arrives after another replica has taken the lease.
    """

    duration: float = 12.0
    renew: float = 4.0
    deadline: float = 8.0
    poll: float = 2.0
    call: float = 3.0


class Lease:
    """`acquire`, then `keep` until it raises LeaseLost; `release` on a planned stop."""

    def __init__(
        self,
        cluster: Cluster,
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
        self._changed_at = 0.0
        self._renewed_at = 0.0
        self.leading = False

    async def acquire(self) -> None:
        """Wait until this process leads."""
        while not await self.attempt():
            await asyncio.sleep(self._timing.poll * random.uniform(0.8, 1.0))

    async def keep(self, hung: Callable[[], bool] = lambda: False) -> None:
        """Renew for ever. LeaseLost if another replica holds it, if no renewal succeeds in time, or
        if the process is `hung`.
        """
        while True:
            await asyncio.sleep(self._timing.renew * random.uniform(0.9, 1.0))
            if hung():
                raise self._lost("the operator's event loop does not run")
            while not await self.renew():
                await asyncio.sleep(0.5)

    async def attempt(self) -> bool:
        """One attempt to lead. Calls that fail change nothing: a standby waits."""
        started = self._clock()
        try:
            found = await self._read()
            if found is None:
                taken = await self._cluster.create(self._held(None), timeout=self._timing.call)
            else:
                self._note_change(found)
                if not self._is_free(found):
                    return False
                taken = await self._cluster.replace(self._held(found), timeout=self._timing.call)
        except Conflict:
            return False
        except ApiError as error:
            log.warning("the lease cannot be read or written: %s", error)
            return False
        self._record, self._renewed_at, self.leading = taken, started, True
        return True

    async def renew(self) -> bool:
        """One renewal. False if it failed but there is time left; LeaseLost if there is none."""
        if self.overdue():  # the process was paused: the watchdog's thread may run later than this
            raise self._lost("not renewed in time")
        started = self._clock()
        try:
            self._record = await self._cluster.replace(
                self._held(self._record), timeout=self._timing.call
            )
        except Conflict as error:
            # It was written meanwhile. If it still names us, somebody changed a label or the like.
            return await self._still_mine(error)
        except ApiError as error:
            if self.overdue():
                raise self._lost("not renewed in time") from error
            log.warning("the lease was not renewed: %s", error)
            return False
        self._renewed_at = started
        return True

    async def release(self) -> None:
        """Give it up, so that a standby need not wait for it to expire."""
        if not self.leading or self._record is None:
            return
        self.leading = False
        free = self._held(self._record)
        free["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
        try:
            await self._cluster.replace(free, timeout=1.0)
        except ApiError as error:
            log.warning("the lease was not released, it expires by itself: %s", error)

    def overdue(self) -> bool:
        """Whether it leads but has not renewed in time. Safe to call from another thread."""
        return self.leading and self._clock() - self._renewed_at > self._timing.deadline

    def may_decide(self, timeout: float) -> bool:
        """Whether a write that takes up to `timeout` seconds ends while the lease surely holds."""
        return self.leading and self._clock() < self._renewed_at + self._timing.deadline - timeout

    async def _read(self) -> Object | None:
        where = (self._namespace, self._name)
        return await self._cluster.get(API, "Lease", *where, timeout=self._timing.call)

    async def _still_mine(self, error: Conflict) -> bool:
        try:
            found = await self._read()
        except ApiError:
            if self.overdue():
                raise self._lost("not renewed in time") from error
            return False
        if found is None or found["spec"].get("holderIdentity") != self._identity:
            raise self._lost("another replica took it") from error
        self._record = found
        return False

    def _lost(self, why: str) -> LeaseLost:
        # `leading` stays true: the watchdog must still fire if this exception goes nowhere.
        return LeaseLost(f"lost the lease {self._namespace}/{self._name}: {why}")

    def _note_change(self, found: Object) -> None:
        known = (self._record or {}).get("metadata", {}).get("resourceVersion")
        if found["metadata"].get("resourceVersion") != known:
            self._record, self._changed_at = found, self._clock()

    def _is_free(self, found: Object) -> bool:
        holder = found["spec"].get("holderIdentity")
        if not holder or holder == self._identity:
            return True
        duration = float(found["spec"].get("leaseDurationSeconds") or self._timing.duration)
        return self._clock() - self._changed_at > min(duration, LONGEST)

    def _held(self, found: Object | None) -> Object:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        before: Object = found["spec"] if found else {}
        ours = before.get("holderIdentity") == self._identity
        spec = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(self._timing.duration),
            "acquireTime": before.get("acquireTime", now) if ours else now,
            "renewTime": now,
            "leaseTransitions": int(before.get("leaseTransitions") or 0) + (not ours),
        }
        metadata: Object = {"name": self._name, "namespace": self._namespace}
        if found:
            metadata = {**found["metadata"]}
            metadata.pop("managedFields", None)
        return {"apiVersion": API, "kind": "Lease", "metadata": metadata, "spec": spec}


def watchdog(
    lease: Lease, *, end: Callable[[int], Any] = os._exit, every: float = 0.25
) -> threading.Thread:
    """A thread that ends the process once the lease is overdue, also when the event loop hangs.

    The process never goes on after that: what a paused process knows is out of date.
    """

    def watch() -> None:
        while not lease.overdue():
            time.sleep(every)
        log.critical("the lease was not renewed in time: leaving")
        end(1)

    thread = threading.Thread(target=watch, name="lease-watchdog", daemon=True)
    thread.start()
    return thread
