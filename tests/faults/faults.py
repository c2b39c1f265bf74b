"""What can be done at one write. Those that concern the process as a whole are run apart."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.faults.proxy import HELD, Treatment

if TYPE_CHECKING:
    from tests.faults.run import Run

DEAF = 3.0  # seconds without events
STALE = 3.0  # seconds in which a new process is shown an old list
BROKEN = 15.0  # seconds that a Prometheus is broken


def answered(code: int, retry_after: int | None = None, times: int = 1) -> Callable[..., Treatment]:
    """Not forwarded, but refused."""

    def treat(run: Run) -> Treatment:
        run.repeat = times - 1
        return Treatment(forward=False, answer=code, retry_after=retry_after)

    return treat


def unanswered(run: Run) -> Treatment:
    """Committed, and the connection is cut."""
    return Treatment(answer=0)


def timed_out_behind(run: Run) -> Treatment:
    """Committed, and a gateway in between answers that it was not."""
    return Treatment(answer=504)


def half_an_answer(run: Run) -> Treatment:
    """Committed, and what comes back is no JSON."""
    return Treatment(answer=200)


def slow_answer(run: Run) -> Treatment:
    """Committed, and the answer comes after a minute."""
    return Treatment(wait_after=HELD, answer=0)


def slow_request(run: Run) -> Treatment:
    """It is on its way for longer than the operator waits, and is committed then."""
    return Treatment(wait_before=12.0, answer=0)


def deaf(run: Run) -> Treatment:
    """No event of this namespace comes for a while."""
    run.stage.proxy.views.deaf[run.namespace] = time.monotonic() + DEAF
    return Treatment()


def echo(run: Run) -> Treatment:
    """Each event of this namespace comes once more, and late, from now on."""
    run.stage.proxy.views.echo[run.namespace] = time.monotonic() + 600.0
    return Treatment()


def crash_before(run: Run) -> Treatment:
    """kill -9; the write is lost."""
    return Treatment(forward=False, before=run.stage.crash, answer=0)


def crash_after(run: Run) -> Treatment:
    """kill -9 once it is committed."""
    return Treatment(after=run.stage.crash, answer=0)


def crash_into_the_past(run: Run) -> Treatment:
    """kill -9 once it is committed; the new process is shown lists that lack it."""

    async def remember() -> None:
        views = run.stage.proxy.views
        views.lists_of = await run.stage.proxy.version()

    async def crash() -> None:
        run.stage.proxy.views.stale_until = time.monotonic() + STALE
        await run.stage.crash()

    return Treatment(before=remember, after=crash, answer=0)


def expired(run: Run) -> Treatment:
    """Every watch ends with 410."""
    return Treatment(after=run.stage.proxy.expire)


def prometheus(fault: str) -> Callable[..., Treatment]:
    """Prometheus is broken for a while."""

    def treat(run: Run) -> Treatment:
        run.stage.prometheus.spoil(fault, BROKEN)
        return Treatment()

    return treat


Treat = Callable[["Run"], Treatment]
OF_ONE: dict[str, Treat] = {
    "answer lost": unanswered,
    "504 after commit": timed_out_behind,
    "half an answer": half_an_answer,
    "409": answered(409),
    "429, Retry-After 3600": answered(429, retry_after=3600),
    "500": answered(500),
    "503 three times": answered(503, times=3),
    "answer after 60 s": slow_answer,
    "committed after 12 s": slow_request,
    "events lost": deaf,
    "events doubled": echo,
}
OF_ALL: dict[str, Treat] = {
    "crash before": crash_before,
    "crash after": crash_after,
    "crash, stale lists": crash_into_the_past,
    "watches expired": expired,
}
OF_PROMETHEUS: dict[str, Treat] = {
    f"Prometheus {fault}": prometheus(fault)
    for fault in ("down", "error", "late", "empty", "garbled", "fat")
}
FAULTS = OF_ONE | OF_ALL | OF_PROMETHEUS
