"""What an alarm is, and every kind of alarm that there is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Severity = Literal["critical", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of alarm: its name as `alertname`, how grave it is, what it says."""

    name: str
    severity: Severity
    means: str
    remedy: str


ROLLED_BACK = Kind(
    "MeritRolledBack",
    "warning",
    "the declared version was bad and an earlier one serves",
    "declare a better version; the numbers are in status.rejected",
)
ROLLBACK_BLOCKED = Kind(
    "MeritRollbackBlocked",
    "critical",
    "a bad version still has traffic: the gateway or the API server does not take the change",
    "look at the HTTPRoute, its owner, and the operator's log",
)
NO_HEALTHY_REVISION = Kind(
    "MeritNoHealthyRevision",
    "critical",
    "what serves is bad, and there is nothing to go back to",
    "deploy a better version",
)
BREACHED = Kind(
    "MeritBreached",
    "warning",
    "a signal is outside its bar and Merit does not act on it by itself; critical where the "
    "declared response is Rollback",
    "look at the named signal; roll back by hand if it is the model",
)
FLEET_INCIDENT = Kind(
    "MeritFleetIncident",
    "critical",
    "many models turned bad in the same moment; their rollbacks are held for ten minutes at most",
    "look at Prometheus and at what all of them depend on; merit.dev/abort is never held",
)
METRICS_LOST = Kind(
    "MeritMetricsLost",
    "warning",
    "nothing is known about this model for five minutes: nothing rises, nothing is judged",
    "check the metrics source and its scrape targets",
)
REJECTED = Kind(
    "MeritRejected",
    "info",
    "a gate said no; the version never had traffic",
    "deploy a better version, or change the bar",
)
GATE_GIVEN_UP = Kind(
    "MeritGateGivenUp",
    "warning",
    "a gate came to no verdict and is not tried again by itself",
    "read the gate's condition and its Job's log",
)
RETRAIN_FAILED = Kind(
    "MeritRetrainFailed",
    "warning",
    "the model's population has moved, and the training of a new version failed or cannot begin",
    "read the Job's log, or the condition Retraining; the next run waits for its cooldown",
)
BYPASSED = Kind(
    "MeritBypassed",
    "warning",
    "spec.bypass skips a stage",
    "take spec.bypass out of the manifest as soon as the emergency is over",
)
RESTORED = Kind(
    "MeritRestored",
    "warning",
    "a gate was passed by the word of the ledger, not run; told for an hour",
    "nothing, if the object or its cluster was made again",
)
OWNERSHIP_CONFLICT = Kind(
    "MeritOwnershipConflict",
    "warning",
    "a name, the route or spec.rollback belongs to somebody else",
    "rename, or take spec.rollback out of Git",
)
KINDS = (
    ROLLBACK_BLOCKED, NO_HEALTHY_REVISION, FLEET_INCIDENT, BREACHED, ROLLED_BACK, METRICS_LOST,
    GATE_GIVEN_UP, RETRAIN_FAILED, OWNERSHIP_CONFLICT, BYPASSED, RESTORED, REJECTED,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Alarm:
    """One incident of one object, as long as it lasts.

    `labels` tell it from every other and never change while it lasts; `annotations` may.
    `since`: Unix seconds, from status, so that every operator says the same.
    """

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    since: float

    @property
    def identity(self) -> tuple[tuple[str, str], ...]:
        """What makes two alarms the same one."""
        return tuple(sorted(self.labels.items()))
