"""Sees every pass, and tells those who are not waited for: Alertmanager and Prometheus.

Memory only. What goes wrong here is logged and never fails the pass that it was told of.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Protocol

from merit.api.status import Status
from merit.cluster.cache import Key
from merit.policy.observed import Observed
from merit.policy.telling.alarm import Alarm
from merit.policy.telling.alarms import alarms
from merit.policy.telling.gauges import Gauges, gauges

log = logging.getLogger(__name__)


class Tells(Protocol):
    """What of the outbox a witness needs."""

    def tell(self, place: tuple[str, str], alarms: Iterable[Alarm]) -> None: ...
    def undelivered(self, place: tuple[str, str]) -> str: ...


class Witness:
    """`decisions` by reason, `verdicts` by stage and kind, and the newest numbers by object.

    `incident`: whether the circuit breaker holds what rests on scores. `outbox`: None where the
    configuration has no Alertmanager.
    """

    def __init__(self, outbox: Tells | None = None) -> None:
        self._outbox = outbox
        self.decisions: Counter[str] = Counter()
        self.verdicts: Counter[tuple[str, str]] = Counter()
        self.objects: dict[Key, Gauges] = {}
        self.incident: Callable[[], bool] = lambda: False

    def saw(self, key: Key, seen: Observed, status: Status, now: float) -> None:
        """How an object stands after a pass, whether or not the pass succeeded."""
        try:
            self.objects[key] = gauges(seen, status)
            if self._outbox is not None:
                self._outbox.tell(key, alarms(seen, status, now))
        except Exception:
            log.exception("%s: what is told of it could not be made", key)

    def wrote(self, before: Status, after: Status, reasons: Iterable[str]) -> None:
        """A status was written: `reasons` are those of its Events."""
        old = {stage.stage: stage.verdict for stage in before.flow}
        for stage in after.flow:
            if old.get(stage.stage) != stage.verdict:
                self.verdicts[stage.stage, stage.verdict] += 1
        self.decisions.update(reasons)

    def gone(self, key: Key) -> None:
        """The object was deleted: its alarms end, its numbers go."""
        self.objects.pop(key, None)
        if self._outbox is not None:
            self._outbox.tell(key, ())

    def undelivered(self, key: Key) -> str:
        """Why alerts about this object do not arrive; empty if they do."""
        return self._outbox.undelivered(key) if self._outbox is not None else ""
