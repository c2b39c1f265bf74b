"""What a pass leaves for Alertmanager and Prometheus, which take it from memory at their own pace.

An error here is logged and never fails the pass.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Protocol

from merit.api.status import Status
from merit.kube.cache import Key
from merit.policy.report.alert_kinds import Alert
from merit.policy.report.alert_of import alert_of_failure
from merit.policy.report.alerts import alerts
from merit.policy.report.gauges import Gauges, gauges
from merit.policy.state.observed import Observed

log = logging.getLogger(__name__)


class AlertSink(Protocol):
    """The part of the outbox that Telemetry needs."""

    def set_alerts(self, key: tuple[str, str], alerts: Iterable[Alert]) -> None: ...
    def undelivered(self, place: tuple[str, str]) -> str: ...


class Telemetry:
    """`decisions` by reason, `verdicts` by stage and kind, and the newest numbers by object.
    `internal_errors`: passes that a defect of ours has ended.

    `incident`: whether the circuit breaker holds decisions on evidence. `outbox`: None where the
    configuration has no Alertmanager.
    """

    def __init__(
        self,
        outbox: AlertSink | None = None,
        *,
        incident: Callable[[], bool] = lambda: False,
    ) -> None:
        self._outbox, self.incident = outbox, incident
        self.decisions: Counter[str] = Counter()
        self.verdicts: Counter[tuple[str, str]] = Counter()
        self.objects: dict[Key, Gauges] = {}
        self.internal_errors = 0

    def report(self, key: Key, seen: Observed, status: Status, now: float) -> None:
        """A pass has ended, well or not. `status`: as it is on record now."""
        try:
            self.objects[key] = gauges(seen, status)
            if self._outbox is not None:
                self._outbox.set_alerts(key, alerts(seen, status, now))
        except Exception:
            log.exception("%s: its metrics and alerts could not be made", key)
            if seen.failed and self._outbox is not None:
                self._outbox.set_alerts(key, [alert_of_failure(seen, status, now)])

    def count(self, before: Status, after: Status, reasons: Iterable[str]) -> None:
        """A decision is on record. `reasons`: of its Events."""
        old = {stage.stage: stage.verdict for stage in before.flow}
        for stage in after.flow:
            if old.get(stage.stage) != stage.verdict:
                self.verdicts[stage.stage, stage.verdict] += 1
        self.decisions.update(reasons)

    def failed(self, key: Key, error: Exception, *, new: bool) -> None:
        """A defect of ours has ended a pass. `new`: it is not what ended the pass before."""
        self.internal_errors += 1
        if new:
            extra = {"namespace": key.namespace, "object": key.name}
            log.error("a pass has failed; safety still acts", exc_info=error, extra=extra)

    def forget(self, key: Key) -> None:
        """The object was deleted: its alerts end, its metrics go."""
        self.objects.pop(key, None)
        if self._outbox is not None:
            self._outbox.set_alerts(key, ())

    def undelivered(self, key: Key) -> str:
        """Why alerts about this object do not arrive; empty if they do."""
        return self._outbox.undelivered(key) if self._outbox is not None else ""
