"""What is to be told, and what was: delivery in a loop of its own, which nobody waits for.

A pass of the reconciler leaves its alarms here, in memory, and goes on. Firing alerts are sent
again before they would end by themselves; one whose cause is gone is resolved explicitly. What a
stopped leader left behind ends by itself, unless the next one finds it again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from merit.policy.telling.alarm import Alarm

log = logging.getLogger(__name__)

Place = tuple[str, str]  # namespace, name
Identity = tuple[tuple[str, str], ...]

REFRESH = 60.0  # seconds between two sendings of an alert that goes on
LASTS = 4 * REFRESH  # seconds after which one that is not sent again ends by itself
LINGER = 60.0  # seconds for which an alarm must be gone: a value that flaps pages once
RETRY = (1.0, 2.0, 5.0, 10.0, 30.0)  # seconds after each failure in a row
BATCH = 200  # alerts in one request
PATIENCE = 30.0  # seconds of failure that are worth a word in status
MOST = 10_000  # alerts that are kept: whatever else happens, memory is bounded


class Sends(Protocol):
    """What of `Alertmanager` an Outbox needs."""

    async def post(self, alerts: Sequence[Mapping[str, Any]]) -> str: ...


@dataclass(slots=True)
class _Kept:
    """One alert. `gone`: since when its cause is gone; `sent`: when it was delivered last."""

    place: Place
    alarm: Alarm
    gone: float | None = None
    sent: float | None = None

    def due(self, now: float) -> float:
        """Unix seconds from which it should be sent."""
        if self.gone is not None:
            return self.gone + LINGER
        return now if self.sent is None else self.sent + REFRESH


@dataclass(slots=True)
class Delivery:
    """How delivery goes, since the start: alerts sent, requests that failed, the last failure."""

    sent: int = 0
    failures: int = 0
    problem: str = ""
    failing_since: float | None = None


class Outbox:
    """Keeps Alertmanager in line with the alarms of all objects.

    `now`: Unix seconds. `wake`: told whose alerts have begun, or ceased, to be undeliverable.
    """

    def __init__(
        self,
        sends: Sends,
        *,
        now: Callable[[], float] = time.time,
        wake: Callable[[Place], None] = lambda _place: None,
    ) -> None:
        self._sends, self.now, self.wake = sends, now, wake
        self._kept: dict[Identity, _Kept] = {}
        self._by_place: dict[Place, set[Identity]] = {}
        self._changed = asyncio.Event()
        self._told: set[Place] = set()
        self.delivery = Delivery()

    def tell(self, place: Place, alarms: Iterable[Alarm]) -> None:
        """These, and no others, are the alarms of this object now. Returns at once."""
        now = self.now()
        wanted = {alarm.identity: alarm for alarm in alarms}
        for identity in self._by_place.get(place, set()) - set(wanted):
            kept = self._kept[identity]
            if kept.sent is None:
                self._forget(identity)  # nobody has heard of it
            elif kept.gone is None:
                kept.gone = now
        for identity, alarm in wanted.items():
            known = self._kept.get(identity)
            if known is not None:
                known.alarm, known.gone = alarm, None
            elif len(self._kept) < MOST:
                self._kept[identity] = _Kept(place, alarm)
                self._by_place.setdefault(place, set()).add(identity)
                self._changed.set()

    def undelivered(self, place: Place) -> str:
        """Why alerts about this object do not arrive; empty if they do, or there are none."""
        return self.delivery.problem if place in self._told else ""

    def firing(self) -> dict[str, int]:
        """How many alerts fire now, by severity."""
        found: dict[str, int] = {}
        for kept in self._kept.values():
            if kept.gone is None:
                severity = kept.alarm.labels["severity"]
                found[severity] = found.get(severity, 0) + 1
        return found

    async def run(self) -> None:
        """Deliver, for ever."""
        failed = 0
        while True:
            self._changed.clear()
            failed = 0 if await self.deliver() else failed + 1
            wait = RETRY[min(failed, len(RETRY)) - 1] if failed else self._wait()
            try:
                # New alarms do not wait for a refresh, but nothing hurries a failing server.
                async with asyncio.timeout(wait):
                    await (asyncio.sleep(wait) if failed else self._changed.wait())
            except TimeoutError:
                pass

    async def deliver(self) -> bool:
        """Send what is due. False if a part of it did not arrive."""
        now = self.now()
        due = [kept for kept in self._kept.values() if kept.due(now) <= now]
        problems = []
        for start in range(0, len(due), BATCH):
            batch = due[start : start + BATCH]
            problem = await self._sends.post([_message(kept, now) for kept in batch])
            if problem:
                problems.append(problem)
                continue  # one that is refused must not keep the others back
            for kept in batch:
                self._arrived(kept, now)
        if problems:
            self._failed(problems[0])
        elif due:
            self._recovered()
        return not problems

    def _wait(self) -> float:
        now = self.now()
        return max(
            0.05, min((k.due(now) for k in self._kept.values()), default=now + REFRESH) - now
        )

    def _arrived(self, kept: _Kept, now: float) -> None:
        kept.sent = now
        self.delivery.sent += 1
        if kept.gone is not None and kept.gone + LINGER <= now:
            self._forget(kept.alarm.identity)

    def _failed(self, problem: str) -> None:
        delivery, now = self.delivery, self.now()
        delivery.failures += 1
        if delivery.failing_since is None:
            delivery.failing_since = now
            log.warning("alerts are not delivered: %s", problem)
        delivery.problem = delivery.problem or problem  # another kind of silence is no news
        if now - delivery.failing_since >= PATIENCE:
            waiting = {k.place for k in self._kept.values() if k.sent is None or k.due(now) <= now}
            for place in waiting - self._told:
                self._told.add(place)
                self.wake(place)

    def _recovered(self) -> None:
        if self.delivery.failing_since is not None:
            log.info("alerts are delivered again")
        self.delivery.failing_since, self.delivery.problem = None, ""
        told, self._told = self._told, set()
        for place in told:
            self.wake(place)

    def _forget(self, identity: Identity) -> None:
        kept = self._kept.pop(identity)
        others = self._by_place[kept.place]
        others.discard(identity)
        if not others:
            del self._by_place[kept.place]


def _message(kept: _Kept, now: float) -> dict[str, Any]:
    """The alert as Alertmanager's API has it; one whose cause is gone ended when it went.

    That is in the past, so a clock that differs by less than LINGER cannot keep it firing.
    """
    ends = now + LASTS if kept.gone is None else kept.gone
    return {
        "labels": dict(kept.alarm.labels),
        "annotations": dict(kept.alarm.annotations),
        "startsAt": _stamp(min(kept.alarm.since or now, now, ends)),
        "endsAt": _stamp(ends),
    }


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
