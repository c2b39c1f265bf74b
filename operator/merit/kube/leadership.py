"""Leadership: the Lease is renewed by a thread with an event loop and connections of its own.

However busy the operator's event loop is, the Lease is renewed: overload delays the work, it does
not end the leader and move the same load to the next one. Only a loop that has not run at all for
`HANG` seconds loses the Lease, because such a process works no more.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from merit.kube.client import Cluster
from merit.kube.lease import Lease, LeaseLost, Timing, watchdog

log = logging.getLogger(__name__)

HANG = 60.0
"""Seconds that the operator's event loop may be late. `/livez` fails after 10 already."""
LEAVE = 3.0
"""Seconds that `release` may take."""


class Leadership:
    """`acquired` waits until this process leads, `release` ends that. Between them the process ends
    (`end`, exit code 1, without any cleanup: it might write) as soon as the Lease is lost.

    `connect`: a client for the thread. `lag`: seconds that the operator's event loop is late.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Cluster]],
        *,
        namespace: str,
        name: str,
        identity: str,
        lag: Callable[[], float],
        end: Callable[[int], Any] = os._exit,
        timing: Timing | None = None,
    ) -> None:
        self._connect = connect
        self._namespace, self._name, self._identity = namespace, name, identity
        self._lag = lag
        self._end = end
        self._timing = timing or Timing()
        self._lease: Lease | None = None
        self._report: Callable[[Exception | None], Any] = lambda error: None
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)
        self._leaving = False
        self._stop: Callable[[], Any] = lambda: None

    @property
    def leading(self) -> bool:
        """Whether this process leads."""
        return self._lease is not None and self._lease.leading

    def may_decide(self, timeout: float) -> bool:
        """Whether a write that takes up to `timeout` seconds ends while the lease surely holds."""
        return self._lease is not None and self._lease.may_decide(timeout)

    async def acquired(self) -> None:
        """Wait until this process leads. ApiError if there is no API server to ask."""
        loop = asyncio.get_running_loop()
        self._result: asyncio.Future[None] = loop.create_future()
        self._report = lambda error: loop.call_soon_threadsafe(partial(self._settle, error))
        self._thread.start()
        await self._result

    async def release(self) -> None:
        """Give the Lease up, so that a standby need not wait for it to expire."""
        self._leaving = True
        self._stop()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, LEAVE)

    def _settle(self, error: Exception | None) -> None:
        if self._result.done():
            return
        if error is None:
            self._result.set_result(None)
        else:
            self._result.set_exception(error)

    def _run(self) -> None:
        try:
            asyncio.run(self._hold())
        except asyncio.CancelledError:
            pass
        except LeaseLost as lost:
            log.critical("%s", lost)
            self._leave_at_once()
        except Exception as error:
            if self.leading:
                log.critical("the lease is no longer renewed", exc_info=error)
                self._leave_at_once()
            self._report(error)

    async def _hold(self) -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        self._stop = lambda: loop.call_soon_threadsafe(task.cancel)
        cluster = await self._connect()
        try:
            self._lease = lease = Lease(
                cluster,
                namespace=self._namespace,
                name=self._name,
                identity=self._identity,
                timing=self._timing,
            )
            if self._leaving:  # asked for before there was a task to cancel
                return
            await lease.acquire()
            watchdog(lease, end=self._end)
            self._report(None)
            try:
                await lease.keep(hung=lambda: self._lag() > HANG)
            except asyncio.CancelledError:
                await lease.release()
                raise
        finally:
            await cluster.close()

    def _leave_at_once(self) -> None:
        # Without running any finally: it might write while the new leader writes, too.
        logging.shutdown()
        self._end(1)
