"""Decides when each object is looked at: once at a time, coalesced, safety before routine."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from merit.cluster.cache import Key
from merit.cluster.errors import ApiError, Conflict

log = logging.getLogger(__name__)

FIRST_RETRY = 1.0
LAST_RETRY = 300.0
LAST_SAFETY_RETRY = 5.0


@dataclass(slots=True)
class Waiting:
    """A key that waits. `since` is when it was first asked for; clock seconds."""

    due: float
    safety: bool
    since: float


@dataclass(slots=True)
class Tally:
    """What the queue has done, for /metrics. `seconds` is the time spent in the handler."""

    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


class WorkQueue:
    """Runs `handler` for each key that is due. The handler returns seconds until it is due again.

    `routine` slots are for ordinary work; safety work may use those and `safety` more, so nothing
    routine ever fills all slots. `urgent` tells whether a key belongs in the safety lane now.
    """

    def __init__(
        self,
        handler: Callable[[Key], Awaitable[float | None]],
        *,
        routine: int = 5,
        safety: int = 4,
        urgent: Callable[[Key], bool] = lambda key: False,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = lambda: random.uniform(0.8, 1.2),
    ) -> None:
        self._handler = handler
        self._routine = routine
        self._slots = routine + safety
        self._urgent = urgent
        self._clock = clock
        self._jitter = jitter
        self._waiting: dict[Key, Waiting] = {}
        self._heaps: dict[bool, list[tuple[float, int, Key]]] = {True: [], False: []}
        self._order = itertools.count()
        self._running: dict[Key, tuple[asyncio.Task[None], bool]] = {}
        self._failures: Counter[Key] = Counter()
        self._not_before: dict[Key, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._open = False
        self._ended = asyncio.Event()
        self.tally = Tally()

    def add(self, key: Key, *, after: float = 0.0, safety: bool = False) -> None:
        """Look at it in `after` seconds, or earlier if that was asked before.

        A key that is being looked at now waits until that has ended, and is then looked at again.
        """
        now = self._clock()
        safety = safety or self._urgent(key)
        # What just failed does not run again at once because its own writes made events.
        due = max(now + after, self._not_before.get(key, 0.0))
        known = self._waiting.get(key)
        if known is None:
            known = self._waiting[key] = Waiting(due=due, safety=safety, since=now)
        elif due >= known.due and safety <= known.safety:
            return
        else:
            known.due, known.safety = min(due, known.due), safety or known.safety
        if key not in self._running:
            self._push(key, known)
            self.wake()

    async def run(self) -> None:
        """Work until `drain`, or until cancelled."""
        self._open = True
        try:
            self.wake()
            await self._ended.wait()
        finally:
            self._open = False
            self._stop_timer()

    async def drain(self, timeout: float) -> None:
        """Take no more keys, give what runs `timeout` seconds, then cancel it and wait for that.

        Cancelling is safe: every effect can be repeated.
        """
        self._open = False
        self._stop_timer()
        tasks = [task for task, _ in self._running.values()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=timeout)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=timeout)
        self._ended.set()

    def wake(self) -> None:
        """Start what is due and has a slot, and set the timer for the next due time."""
        if not self._open:
            return
        # One moment for both: what becomes due between them would be neither started nor awaited.
        now = self._clock()
        while self._start_one(now, safety=True) or self._start_one(now, safety=False):
            pass
        self._set_timer(now)

    def depth(self, *, safety: bool) -> int:
        """Keys of a lane that are due and wait for a slot."""
        now = self._clock()
        return sum(w.safety == safety and w.due <= now for w in self._waiting.values())

    def oldest(self, *, safety: bool) -> float:
        """Seconds that the longest waiting key of a lane is overdue; 0 if none is."""
        now = self._clock()
        overdue = [now - w.due for w in self._waiting.values() if w.safety == safety]
        return max([0.0, *overdue])

    def _push(self, key: Key, waiting: Waiting) -> None:
        heapq.heappush(self._heaps[waiting.safety], (waiting.due, next(self._order), key))

    def _start_one(self, now: float, *, safety: bool) -> bool:
        if len(self._running) >= self._slots:
            return False
        busy_with_routine = sum(not urgent for _, urgent in self._running.values())
        if not safety and busy_with_routine >= self._routine:
            return False
        key = self._head(safety=safety)
        if key is None or self._waiting[key].due > now:
            return False
        heapq.heappop(self._heaps[safety])
        del self._waiting[key]
        task = asyncio.get_running_loop().create_task(
            self._work(key, safety=safety), name=f"reconcile {key.namespace}/{key.name}"
        )
        self._running[key] = (task, safety)
        return True

    def _head(self, *, safety: bool) -> Key | None:
        """The next key of a lane; entries that a later `add` made void are thrown away here."""
        heap = self._heaps[safety]
        while heap:
            due, _, key = heap[0]
            waiting = self._waiting.get(key)
            valid = waiting is not None and (waiting.due, waiting.safety) == (due, safety)
            if valid and key not in self._running:
                return key
            heapq.heappop(heap)
        return None

    async def _work(self, key: Key, *, safety: bool) -> None:
        began = self._clock()
        again: float | None = None
        try:
            again = await self._handler(key)
            self.tally.outcomes["success"] += 1
            self._failures.pop(key, None)
            self._not_before.pop(key, None)
        except Exception as error:
            again = self._failed(key, error, safety=safety)
        finally:
            self.tally.seconds += self._clock() - began
            del self._running[key]
        dirty = self._waiting.get(key)
        if dirty is not None:
            dirty.due = max(dirty.due, self._not_before.get(key, 0.0))
            self._push(key, dirty)
        if again is not None:
            self.add(key, after=again)
        self.wake()

    def _failed(self, key: Key, error: Exception, *, safety: bool) -> float:
        """Seconds until the next try."""
        self._failures[key] += 1
        said = getattr(error, "retry_after", None) or 0.0
        last = LAST_SAFETY_RETRY if safety or self._urgent(key) else LAST_RETRY
        exponent = min(self._failures[key] - 1, 20)
        delay = max(said, min(last, FIRST_RETRY * 2.0**exponent * self._jitter()))
        self._not_before[key] = self._clock() + max(said, min(delay, FIRST_RETRY))
        self.tally.outcomes["conflict" if isinstance(error, Conflict) else "error"] += 1
        extra = {"namespace": key.namespace, "object": key.name}
        if isinstance(error, Conflict):
            log.info("stale view, read again in %.1fs: %s", delay, error, extra=extra)
        elif isinstance(error, ApiError):
            log.warning("retry in %.1fs: %s", delay, error, extra=extra)
        else:
            log.error("retry in %.1fs", delay, exc_info=error, extra=extra)
        return delay

    def _set_timer(self, now: float) -> None:
        self._stop_timer()
        due = [self._waiting[key].due for lane in (True, False) if (key := self._head(safety=lane))]
        ahead = [moment for moment in due if moment > now]
        if ahead:  # what is due but has no slot is started when a slot gets free
            self._timer = asyncio.get_running_loop().call_later(min(ahead) - now, self.wake)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
