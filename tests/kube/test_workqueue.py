"""The work queue: when each key is reconciled."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from merit.kube.cache import Key
from merit.kube.errors import ApiError, Conflict
from merit.kube.workqueue import (
    FIRST_RETRY,
    LAST_SAFETY_RETRY,
    LONGEST_RETRY_AFTER,
    WorkQueue,
)
from tests.kube.fakes import Clock

A, B = Key("ns", "a"), Key("ns", "b")


class Work:
    """A handler that notes its calls, and blocks or fails on demand."""

    def __init__(self) -> None:
        self.calls: list[Key] = []
        self.called = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.again: float | None = None

    async def __call__(self, key: Key) -> float | None:
        self.calls.append(key)
        self.called.set()
        await self.gate.wait()
        if self.error:
            raise self.error
        return self.again


class QueueBench:
    """A queue with a handler, and a clock that the test moves on."""

    def __init__(self, **options: object) -> None:
        self.clock, self.work = Clock(), Work()
        self.queue = WorkQueue(
            self.work,
            clock=self.clock,
            jitter=lambda: 1.0,
            **options,  # type: ignore[arg-type]
        )

    async def passes(self, seconds: float) -> None:
        self.clock.now += seconds
        self.queue.wake()
        await settle()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@contextmanager
def running(bench: QueueBench) -> Iterator[None]:
    task = asyncio.create_task(bench.queue.run())
    try:
        yield
    finally:
        task.cancel()


async def test_a_key_added_many_times_is_handled_once() -> None:
    bench = QueueBench()
    for _ in range(5):
        bench.queue.add(A)
    with running(bench):
        await settle()
    assert bench.work.calls == [A]


async def test_nothing_is_handled_before_the_queue_runs() -> None:
    bench = QueueBench()
    bench.queue.add(A)
    await settle()
    assert bench.work.calls == []
    assert bench.queue.depth("routine") == 1


async def test_a_key_added_while_it_runs_runs_again_and_never_twice_at_once() -> None:
    bench = QueueBench()
    bench.work.gate.clear()
    bench.queue.add(A)
    with running(bench):
        await settle()
        bench.queue.add(A)
        bench.queue.add(A)
        await settle()
        assert bench.work.calls == [A]
        bench.work.gate.set()
        await settle()
    assert bench.work.calls == [A, A]


async def test_a_key_is_handled_when_due_and_an_earlier_due_time_wins() -> None:
    bench = QueueBench()
    bench.queue.add(A, after=60)
    bench.queue.add(A, after=10)
    bench.queue.add(A, after=90)
    with running(bench):
        await bench.passes(9)
        assert bench.work.calls == []
        await bench.passes(2)
        assert bench.work.calls == [A]
        await bench.passes(100)
    assert bench.work.calls == [A]


async def test_the_handler_says_when_it_is_due_again() -> None:
    bench = QueueBench()
    bench.work.again = 15.0
    bench.queue.add(A)
    with running(bench):
        await settle()
        await bench.passes(14)
        assert bench.work.calls == [A]
        await bench.passes(2)
    assert bench.work.calls == [A, A]


async def test_the_timer_wakes_the_queue_without_being_asked() -> None:
    work = Work()
    queue = WorkQueue(work)
    task = asyncio.create_task(queue.run())
    queue.add(A, after=0.02)
    await asyncio.wait_for(work.called.wait(), 60.0)
    assert work.calls == [A]
    task.cancel()


async def test_safety_work_has_slots_when_routine_work_fills_its_own() -> None:
    bench = QueueBench(routine=2, safety=1)
    bench.work.gate.clear()
    for n in range(5):
        bench.queue.add(Key("ns", f"routine-{n}"))
    with running(bench):
        await settle()
        assert len(bench.work.calls) == 2
        bench.queue.add(A, safety=True)
        await settle()
        assert bench.work.calls[2:] == [A]
        bench.work.gate.set()
        await settle()
    assert len(bench.work.calls) == 6


async def test_safety_work_goes_first() -> None:
    bench = QueueBench(routine=1, safety=0)
    bench.queue.add(B)
    bench.queue.add(A, safety=True)
    with running(bench):
        await settle()
    assert bench.work.calls == [A, B]


async def test_a_key_that_is_urgent_needs_no_free_slot_of_the_routine() -> None:
    bench = QueueBench(routine=1, safety=1, urgent=lambda key: key == A)
    bench.work.gate.clear()
    for key in (B, Key("ns", "c"), A):
        bench.queue.add(key)
    with running(bench):
        await settle()
        assert sorted(bench.work.calls) == [A, B]
        bench.work.gate.set()
        await settle()


async def test_a_waiting_key_that_becomes_urgent_changes_lanes() -> None:
    bench = QueueBench(routine=1, safety=0)
    bench.queue.add(B)
    bench.queue.add(A)
    bench.queue.add(A, safety=True)
    with running(bench):
        await settle()
    assert bench.work.calls == [A, B]


async def test_failures_back_off_from_a_second_to_five_minutes_and_success_resets() -> None:
    bench = QueueBench()
    bench.work.error = ApiError(500, "InternalError", "no")
    bench.queue.add(A)
    with running(bench):
        await settle()
        for wait in (1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300):
            before = len(bench.work.calls)
            await bench.passes(wait - 0.5)
            assert len(bench.work.calls) == before
            await bench.passes(0.5)
            assert len(bench.work.calls) == before + 1
        bench.work.error = None
        await bench.passes(300)
        bench.work.error = ApiError(500, "InternalError", "no")
        bench.queue.add(A)
        await settle()
        before = len(bench.work.calls)
        await bench.passes(1)
    assert len(bench.work.calls) == before + 1


async def test_safety_work_is_retried_within_five_seconds() -> None:
    bench = QueueBench(urgent=lambda key: True)
    bench.work.error = ApiError(500, "InternalError", "no")
    bench.queue.add(A)
    with running(bench):
        for _ in range(8):
            await bench.passes(5)
    assert len(bench.work.calls) == 8


async def test_safety_work_has_four_slots_more_than_routine_and_no_end_of_slots() -> None:
    bench = QueueBench()
    bench.work.gate.clear()
    for number in range(20):
        bench.queue.add(Key("ns", f"routine-{number}"))
        bench.queue.add(Key("ns", f"safety-{number}"), safety=True)
    with running(bench):
        await settle()
        assert len(bench.work.calls) == 9
        bench.work.gate.set()
        await settle()
    assert len(bench.work.calls) == 40


async def test_a_failing_key_does_not_run_hot_because_its_own_writes_make_events() -> None:
    bench = QueueBench()
    bench.work.error = Conflict(409, "Conflict", "stale")
    bench.queue.add(A)
    with running(bench):
        await settle()
        for _ in range(50):
            bench.queue.add(A)
            await settle()
        assert bench.work.calls == [A]
        await bench.passes(1)
    assert bench.work.calls == [A, A]
    assert bench.queue.counters.outcomes["conflict"] == 2


async def test_the_api_servers_retry_after_is_honoured() -> None:
    bench = QueueBench()
    bench.work.error = ApiError(429, "TooManyRequests", "slow down", retry_after=20.0)
    bench.queue.add(A)
    with running(bench):
        await settle()
        bench.queue.add(A)
        await bench.passes(19)
        assert bench.work.calls == [A]
        await bench.passes(1)
    assert bench.work.calls == [A, A]


async def test_a_server_that_asks_for_an_hour_parks_no_urgent_key() -> None:
    bench = QueueBench(urgent=lambda key: True)
    bench.work.error = ApiError(429, "TooManyRequests", "slow down", retry_after=3600.0)
    bench.queue.add(A)
    with running(bench):
        await bench.passes(0)
        await bench.passes(LAST_SAFETY_RETRY)
        assert bench.work.calls == [A, A]


async def test_an_event_wakes_an_urgent_key_whatever_the_server_asked_for() -> None:
    bench = QueueBench(urgent=lambda key: True)
    bench.work.error = ApiError(429, "TooManyRequests", "slow down", retry_after=3600.0)
    bench.queue.add(A)
    with running(bench):
        await bench.passes(0)
        bench.queue.add(A)
        await bench.passes(FIRST_RETRY)
        assert bench.work.calls == [A, A]


async def test_a_parked_key_that_becomes_urgent_waits_no_longer_for_the_server() -> None:
    bench = QueueBench()
    bench.work.error = ApiError(429, "TooManyRequests", "slow down", retry_after=3600.0)
    bench.queue.add(A)
    with running(bench):
        await bench.passes(0)
        await bench.passes(10)
        bench.queue.add(A, safety=True)
        await bench.passes(0)
        assert bench.work.calls == [A, A]


async def test_a_key_that_becomes_urgent_while_its_pass_is_refused_waits_no_longer_either() -> None:
    bench = QueueBench()
    bench.work.error = ApiError(429, "TooManyRequests", "slow down", retry_after=3600.0)
    bench.work.gate.clear()
    bench.queue.add(A)
    with running(bench):
        await settle()
        bench.queue.add(A, safety=True)
        bench.work.gate.set()
        await settle()
        await bench.passes(FIRST_RETRY)
        assert bench.work.calls == [A, A]


async def test_routine_work_waits_for_the_server_a_minute_at_most() -> None:
    bench = QueueBench()
    bench.work.error = ApiError(429, "TooManyRequests", "slow down", retry_after=3600.0)
    bench.queue.add(A)
    with running(bench):
        await bench.passes(0)
        bench.queue.add(A)
        await bench.passes(LONGEST_RETRY_AFTER - 1)
        assert bench.work.calls == [A]
        await bench.passes(1)
        assert bench.work.calls == [A, A]


async def test_draining_takes_no_more_keys_and_cancels_what_does_not_end() -> None:
    bench = QueueBench()
    bench.work.gate.clear()
    bench.queue.add(A)
    task = asyncio.create_task(bench.queue.run())
    await settle()
    bench.queue.add(B)
    await settle()
    bench.queue.add(Key("ns", "late"), after=5)
    await bench.queue.drain(0.01)
    await task
    await bench.passes(100)
    assert bench.work.calls == [A, B]


async def test_depth_and_age_count_only_what_is_due() -> None:
    bench = QueueBench()
    bench.queue.add(A)
    bench.queue.add(B, after=100)
    bench.clock.now += 30
    assert bench.queue.depth("routine") == 1
    assert bench.queue.oldest("routine") == 30.0
    assert bench.queue.oldest("safety") == 0.0


@pytest.mark.parametrize("after", [n / 200 for n in range(1, 11)])
async def test_a_key_that_becomes_due_while_the_clock_is_read_is_not_missed(
    after: float,
) -> None:
    passing = iter(range(10**6))  # a machine so slow that every look at the clock takes 10 ms
    work = Work()
    queue = WorkQueue(work, clock=lambda: next(passing) / 100)
    task = asyncio.create_task(queue.run())
    await settle()
    queue.add(A, after=after)
    async with asyncio.timeout(60.0):
        while not work.calls:
            await asyncio.sleep(0.01)
    await queue.drain(1.0)
    await task


class TwoKinds(Work):
    """A first pass of each key asks for one that may take long; only those end at `gate`."""

    def __init__(self) -> None:
        super().__init__()
        self.long: list[Key] = []

    def queue(self, clock: Clock) -> WorkQueue:
        self._queue = WorkQueue(self.hurried, patient=self, clock=clock, jitter=lambda: 1.0, long=2)
        return self._queue

    async def hurried(self, key: Key) -> float | None:
        self.long.append(key)
        self._queue.add_long(key)
        return None


async def test_what_takes_long_waits_for_slots_of_its_own_and_fills_no_others() -> None:
    work, clock = TwoKinds(), Clock()
    queue = work.queue(clock)
    work.gate.clear()
    keys = [Key("ns", f"slow-{n}") for n in range(20)]
    for key in keys:
        queue.add(key)
    task = asyncio.create_task(queue.run())
    await settle()
    await settle()
    assert work.long == keys and work.calls == keys[:2]
    assert queue.depth("long") == 18 and queue.depth("routine") == 0
    clock.now += 7.0
    assert queue.oldest("long") == 7.0
    work.gate.set()
    await settle()
    await settle()
    assert work.calls == keys
    task.cancel()


async def test_a_long_pass_and_another_of_the_same_key_never_run_at_once() -> None:
    work = TwoKinds()
    queue = work.queue(Clock())
    work.gate.clear()
    queue.add(A)
    task = asyncio.create_task(queue.run())
    await settle()
    queue.add(A, safety=True)
    await settle()
    assert work.long == [A] and work.calls == [A]
    work.gate.set()
    await settle()
    assert work.long == [A, A]
    task.cancel()


async def test_a_long_pass_that_fails_backs_off_though_those_before_it_succeed() -> None:
    work, clock = TwoKinds(), Clock()
    queue = work.queue(clock)
    work.error = ApiError(500, "InternalError", "a webhook")
    queue.add(A)
    task = asyncio.create_task(queue.run())
    await settle()
    for wait in (1, 2, 4, 8, 16):
        before = len(work.calls)
        for seconds, more in ((wait - 0.5, 0), (0.5, 1)):
            clock.now += seconds
            queue.wake()
            await settle()
            assert len(work.calls) == before + more
    task.cancel()
