"""When each object is reconciled: one pass at a time, requests merged, safety before routine.

What may take long has slots of its own, which neither of them waits for.
"""

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
from typing import Literal

from merit.kube.cache import Key
from merit.kube.errors import ApiError, Conflict

log = logging.getLogger(__name__)

# Seconds. Retries double from the first to the last; a server's Retry-After may add to that.
FIRST_RETRY = 1.0
LAST_RETRY = 300.0
LAST_SAFETY_RETRY = 5.0  # a rollback waits no longer than this, whatever the server asks for
LONGEST_RETRY_AFTER = 60.0  # nor does anything else: until its next pass, it may not be urgent yet


Lane = Literal["safety", "routine", "long"]
LANES: tuple[Lane, ...] = ("safety", "routine", "long")


@dataclass(slots=True)
class _Entry:
    """A key in the queue: when it is due (clock seconds), and whether in the safety lane."""

    due: float
    safety: bool


@dataclass(slots=True)
class QueueCounters:
    """For /metrics: passes by outcome, and the `seconds` that the handler took for all of them."""

    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


class WorkQueue:
    """Runs `handler` for each key that is due. The handler returns seconds until it is due again.

    `routine` slots are for ordinary work; safety work may use those and `safety` more, so routine
    work never fills all slots. `urgent`: whether a key belongs in the safety lane now. `patient`:
    runs a pass that was asked for by `add_long`, in one of `long` slots more.
    """

    def __init__(
        self,
        handler: Callable[[Key], Awaitable[float | None]],
        *,
        patient: Callable[[Key], Awaitable[float | None]] | None = None,
        routine: int = 5,
        safety: int = 4,
        long: int = 5,
        urgent: Callable[[Key], bool] = lambda key: False,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = lambda: random.uniform(0.8, 1.2),
    ) -> None:
        self._handler, self._patient = handler, patient or handler
        self._routine, self._long_slots = routine, long
        self._slots = routine + safety
        self._urgent = urgent
        self._clock = clock
        self._jitter = jitter
        self._entries: dict[Key, _Entry] = {}
        self._heaps: dict[bool, list[tuple[float, int, Key]]] = {True: [], False: []}
        self._order = itertools.count()
        self._long: dict[Key, float] = {}  # since when each waits for a long pass
        self._running: dict[Key, tuple[asyncio.Task[None], Lane]] = {}
        self._failures: Counter[Key] = Counter()
        # By lane: what just failed must not run again at once because its own writes made events.
        self._not_before: dict[bool, dict[Key, float]] = {True: {}, False: {}}
        self._timer: asyncio.TimerHandle | None = None
        self._open = False
        self._ended = asyncio.Event()
        self.counters = QueueCounters()

    def add(self, key: Key, *, after: float = 0.0, safety: bool = False) -> None:
        """Reconcile it in `after` seconds, or earlier if an earlier call asked for that.

        A key whose pass is running now gets another one after it.
        """
        safety = safety or self._urgent(key)
        due = max(self._clock() + after, self._not_before[safety].get(key, 0.0))
        known = self._entries.get(key)
        if known is None:
            known = self._entries[key] = _Entry(due, safety)
        elif due >= known.due and safety <= known.safety:
            return
        else:
            known.due, known.safety = min(due, known.due), safety or known.safety
        if key not in self._running:
            self._push(key, known)
            self.wake()

    def add_long(self, key: Key) -> None:
        """Give it one pass with calls that may take long, once one of their slots is free."""
        self._long.setdefault(key, self._clock())
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
        """Start nothing more, give running passes `timeout` seconds, then cancel them.

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
        """Start what is due and has a slot; set the timer for the next due time."""
        if not self._open:
            return
        # One reading of the clock for both: what becomes due in between would be missed by both.
        now = self._clock()
        while self._start_one(now, safety=True) or self._start_one(now, safety=False):
            pass
        while self._start_long():
            pass
        self._set_timer(now)

    def depth(self, lane: Lane) -> int:
        """Keys of a lane that are due and wait for a slot."""
        return sum(overdue >= 0.0 for overdue in self._overdue(lane))

    def oldest(self, lane: Lane) -> float:
        """Seconds that the longest waiting key of a lane is overdue; 0 if none is."""
        return max([0.0, *self._overdue(lane)])

    def _overdue(self, lane: Lane) -> list[float]:
        now, safety = self._clock(), lane == "safety"
        if lane == "long":
            return [now - since for since in self._long.values()]
        return [now - entry.due for entry in self._entries.values() if entry.safety == safety]

    def _push(self, key: Key, entry: _Entry) -> None:
        heapq.heappush(self._heaps[entry.safety], (entry.due, next(self._order), key))

    def _start_one(self, now: float, *, safety: bool) -> bool:
        lanes = [lane for _, lane in self._running.values() if lane != "long"]
        if len(lanes) >= self._slots:
            return False
        if not safety and lanes.count("routine") >= self._routine:
            return False
        key = self._head(safety=safety)
        if key is None or self._entries[key].due > now:
            return False
        heapq.heappop(self._heaps[safety])
        del self._entries[key]
        self._start(key, "safety" if safety else "routine")
        return True

    def _start_long(self) -> bool:
        running = sum(lane == "long" for _, lane in self._running.values())
        key = next((key for key in self._long if key not in self._running), None)
        if key is None or running >= self._long_slots:
            return False
        del self._long[key]
        self._start(key, "long")
        return True

    def _start(self, key: Key, lane: Lane) -> None:
        task = asyncio.get_running_loop().create_task(
            self._work(key, lane), name=f"reconcile {key.namespace}/{key.name}"
        )
        self._running[key] = (task, lane)

    def _head(self, *, safety: bool) -> Key | None:
        """The next key of a lane. Heap items that a later `add` replaced are dropped here."""
        heap = self._heaps[safety]
        while heap:
            due, _, key = heap[0]
            if self._entries.get(key) == _Entry(due, safety) and key not in self._running:
                return key
            heapq.heappop(heap)
        return None

    async def _work(self, key: Key, lane: Lane) -> None:
        began, safety = self._clock(), lane == "safety"
        requeue_after: float | None = None
        failed = False
        try:
            requeue_after = await (self._patient if lane == "long" else self._handler)(key)
            self.counters.outcomes["success"] += 1
            if key not in self._long:  # else what failed before has only been put off
                self._failures.pop(key, None)
            for times in self._not_before.values():
                times.pop(key, None)
        except Exception as error:
            failed, requeue_after = True, self._back_off(key, error, safety=safety)
        finally:
            self.counters.seconds += self._clock() - began
            del self._running[key]
        added = self._entries.get(key)  # while the pass ran
        if added is not None:
            added.due = max(added.due, self._not_before[added.safety].get(key, 0.0))
            self._push(key, added)
        if requeue_after is not None:
            self.add(key, after=requeue_after, safety=failed and safety)
        self.wake()

    def _back_off(self, key: Key, error: Exception, *, safety: bool) -> float:
        """Seconds until the next attempt."""
        self._failures[key] += 1
        asked = getattr(error, "retry_after", None) or 0.0
        urgent = safety or self._urgent(key)
        last, longest = LAST_RETRY, LONGEST_RETRY_AFTER
        if urgent:
            last = longest = LAST_SAFETY_RETRY
        exponent = min(self._failures[key] - 1, 20)
        delay = min(last, FIRST_RETRY * 2.0**exponent * self._jitter())
        now, pause = self._clock(), min(delay, FIRST_RETRY)
        # An event cuts the back-off short. What the server asked for it cuts short where safety
        # waits: also for a key that becomes urgent only now.
        self._not_before[True][key] = now + pause
        self._not_before[False][key] = now + max(pause, min(asked, LONGEST_RETRY_AFTER))
        delay = max(delay, min(asked, longest))
        self.counters.outcomes["conflict" if isinstance(error, Conflict) else "error"] += 1
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
        heads = [key for lane in (True, False) if (key := self._head(safety=lane))]
        due = [self._entries[key].due for key in heads]
        future = [at for at in due if at > now]  # what is due now starts when a slot gets free
        if future:
            self._timer = asyncio.get_running_loop().call_later(min(future) - now, self.wake)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
