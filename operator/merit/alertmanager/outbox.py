"""The queue of alerts: delivered by a loop of its own, for which no reconcile pass waits.

A reconcile pass puts the alerts of an object here, in memory. A firing alert is sent again before
it would expire; one whose cause is gone is resolved explicitly. The alerts of a stopped leader
expire, unless the next leader finds the same causes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from merit.alertmanager.client import Alertmanager
from merit.policy.report.alert_kinds import Alert

log = logging.getLogger(__name__)

ObjectKey = tuple[str, str]  # namespace, name
Identity = tuple[tuple[str, str], ...]

REFRESH = 60.0  # seconds between two sendings of an alert that goes on
EXPIRES = 4 * REFRESH  # seconds after which an alert that is not sent again ends
LINGER = 60.0  # seconds that a cause must be gone: a value that flaps pages only once
RETRY = (1.0, 2.0, 5.0, 10.0, 30.0)  # seconds after each failure in a row
BATCH = 200  # alerts in one request
PATIENCE = 30.0  # seconds of failure until status reports it
MAX_ALERTS = 10_000  # limits the memory


@dataclass(slots=True)
class _Entry:
    """One alert. `gone`: since when its cause is gone; `sent`: when it was last delivered."""

    key: ObjectKey
    alert: Alert
    gone: float | None = None
    sent: float | None = None

    def due(self, now: float) -> float:
        """Unix seconds from which it should be sent."""
        if self.gone is not None:
            return self.gone + LINGER
        return now if self.sent is None else self.sent + REFRESH


@dataclass(slots=True)
class Delivery:
    """The state of delivery: alerts sent and requests failed since the start, the last problem."""

    sent: int = 0
    failures: int = 0
    problem: str = ""
    failing_since: float | None = None


class Outbox:
    """Keeps Alertmanager up to date with the alerts of all objects.

    `now`: Unix seconds. `wake`: called with each object whose alerts become undeliverable, or
    deliverable again.
    """

    def __init__(
        self,
        sender: Alertmanager,
        *,
        now: Callable[[], float] = time.time,
        wake: Callable[[ObjectKey], None] = lambda _key: None,
    ) -> None:
        self._sender, self.now, self.wake = sender, now, wake
        self._entries: dict[Identity, _Entry] = {}
        self._by_key: dict[ObjectKey, set[Identity]] = {}
        self._changed = asyncio.Event()
        self._undelivered: set[ObjectKey] = set()
        self.delivery = Delivery()

    def set_alerts(self, key: ObjectKey, alerts: Iterable[Alert]) -> None:
        """These are all alerts of this object now. Returns at once."""
        now = self.now()
        wanted = {alert.identity: alert for alert in alerts}
        for identity in self._by_key.get(key, set()) - set(wanted):
            entry = self._entries[identity]
            if entry.sent is None:
                self._forget(identity)  # it was never delivered
            elif entry.gone is None:
                entry.gone = now
        for identity, alert in wanted.items():
            known = self._entries.get(identity)
            if known is not None:
                known.alert, known.gone = alert, None
            elif len(self._entries) < MAX_ALERTS:
                self._entries[identity] = _Entry(key, alert)
                self._by_key.setdefault(key, set()).add(identity)
                self._changed.set()

    def undelivered(self, key: ObjectKey) -> str:
        """Why alerts about this object are not delivered; empty if they are, or there are none."""
        return self.delivery.problem if key in self._undelivered else ""

    def firing(self) -> dict[str, int]:
        """How many alerts fire now, by severity."""
        counts: dict[str, int] = {}
        for entry in self._entries.values():
            if entry.gone is None:
                severity = entry.alert.labels["severity"]
                counts[severity] = counts.get(severity, 0) + 1
        return counts

    async def run(self) -> None:
        """Deliver, for ever."""
        failed = 0
        while True:
            self._changed.clear()
            failed = 0 if await self.deliver() else failed + 1
            wait = RETRY[min(failed, len(RETRY)) - 1] if failed else self._wait()
            try:
                # New alerts do not wait for a refresh; a failing server is not called more often.
                async with asyncio.timeout(wait):
                    await (asyncio.sleep(wait) if failed else self._changed.wait())
            except TimeoutError:
                pass

    async def deliver(self) -> bool:
        """Send the alerts that are due. False if some were not delivered."""
        now = self.now()
        due = [entry for entry in self._entries.values() if entry.due(now) <= now]
        problems = []
        for start in range(0, len(due), BATCH):
            batch = due[start : start + BATCH]
            problem = await self._sender.post([_message(entry, now) for entry in batch])
            if problem:
                problems.append(problem)
                continue  # a refused batch must not stop the others
            for entry in batch:
                self._arrived(entry, now)
        if problems:
            self._failed(problems[0])
        elif due:
            self._recovered()
        return not problems

    def _wait(self) -> float:
        now = self.now()
        return max(
            0.05, min((k.due(now) for k in self._entries.values()), default=now + REFRESH) - now
        )

    def _arrived(self, entry: _Entry, now: float) -> None:
        entry.sent = now
        self.delivery.sent += 1
        if entry.gone is not None and entry.gone + LINGER <= now:
            self._forget(entry.alert.identity)

    def _failed(self, problem: str) -> None:
        delivery, now = self.delivery, self.now()
        delivery.failures += 1
        if delivery.failing_since is None:
            delivery.failing_since = now
            log.warning("alerts are not delivered: %s", problem)
        if not delivery.problem:  # the first one stays, or status would change often
            delivery.problem = problem
        if now - delivery.failing_since >= PATIENCE:
            waiting = {k.key for k in self._entries.values() if k.sent is None or k.due(now) <= now}
            for key in waiting - self._undelivered:
                self._undelivered.add(key)
                self.wake(key)

    def _recovered(self) -> None:
        if self.delivery.failing_since is not None:
            log.info("alerts are delivered again")
        self.delivery.failing_since, self.delivery.problem = None, ""
        waiting, self._undelivered = self._undelivered, set()
        for key in waiting:
            self.wake(key)

    def _forget(self, identity: Identity) -> None:
        entry = self._entries.pop(identity)
        others = self._by_key[entry.key]
        others.discard(identity)
        if not others:
            del self._by_key[entry.key]


def _message(entry: _Entry, now: float) -> dict[str, Any]:
    """The alert in the form of Alertmanager's API; without a cause it ended when the cause did.

    That is LINGER in the past, so a clock that differs by less cannot keep it firing.
    """
    ends = now + EXPIRES if entry.gone is None else entry.gone
    return {
        "labels": dict(entry.alert.labels),
        "annotations": dict(entry.alert.annotations),
        "startsAt": _stamp(min(entry.alert.since or now, now, ends)),
        "endsAt": _stamp(ends),
    }


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
