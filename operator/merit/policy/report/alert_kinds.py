"""What an alert is, and every kind of alert that Merit sends. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Severity = Literal["critical", "warning", "info"]


@dataclass(frozen=True, slots=True)
class AlertKind:
    """One kind of alert: its `alertname`, its usual severity, what it means, what to do."""

    name: str
    severity: Severity
    means: str
    remedy: str


ROLLED_BACK = AlertKind(
    "MeritRolledBack",
    "warning",
    "the declared version was bad and an earlier one serves",
    "declare a better version; the numbers are in status.rejected",
)
ROLLBACK_BLOCKED = AlertKind(
    "MeritRollbackBlocked",
    "critical",
    "a bad version still has traffic: the gateway or the API server refuses the change",
    "look at the HTTPRoute, its owner, and the operator's log",
)
INTERNAL_ERROR = AlertKind(
    "MeritInternalError",
    "critical",
    "the operator cannot finish its work on this model, by a defect of its own: no weight rises, "
    "and only what does not depend on what failed still takes traffic away",
    "read the traceback in the operator's log and report it; merit.dev/abort still works",
)
NO_HEALTHY_REVISION = AlertKind(
    "MeritNoHealthyRevision",
    "critical",
    "what serves is bad, and there is no revision to roll back to",
    "deploy a better version",
)
BREACHED = AlertKind(
    "MeritBreached",
    "warning",
    "a signal is outside its bar and Merit does not act on it by itself; critical where the "
    "declared response is Rollback",
    "look at the named signal; roll back by hand if it is the model",
)
FLEET_INCIDENT = AlertKind(
    "MeritFleetIncident",
    "critical",
    "many models turned bad in the same moment: nobody is rejected for ten minutes at most; a "
    "candidate that is worse than its stable revision has lost its traffic and is tried again",
    "look at Prometheus and at what all of them depend on; merit.dev/abort is never held",
)
METRICS_LOST = AlertKind(
    "MeritMetricsLost",
    "warning",
    "for five minutes there are no metrics for this model, or none of the signal that is named and "
    "may hold or roll back: no weight rises",
    "check the metrics source and its scrape targets, or the signal's query",
)
INCONCLUSIVE = AlertKind(
    "MeritInconclusive",
    "warning",
    "a canary has come to no verdict within maxDuration: it stays at its weight, or has lost its "
    "traffic without being rejected",
    "look at what the summary names: pods, traffic, a signal without data",
)
REJECTED = AlertKind(
    "MeritRejected",
    "info",
    "a gate rejected it; the version never had traffic",
    "deploy a better version, or change the bar",
)
GATE_GIVEN_UP = AlertKind(
    "MeritGateGivenUp",
    "warning",
    "a gate came to no verdict and is not tried again by itself",
    "read the gate's condition and its Job's log",
)
RETRAIN_FAILED = AlertKind(
    "MeritRetrainFailed",
    "warning",
    "the model's population has moved, and the training of a new version failed or cannot begin",
    "read the Job's log, or the condition Retraining; the next run waits for its cooldown",
)
BYPASSED = AlertKind(
    "MeritBypassed",
    "warning",
    "spec.bypass skips a stage",
    "remove spec.bypass from the manifest as soon as the emergency is over",
)
RESTORED = AlertKind(
    "MeritRestored",
    "warning",
    "a gate was not run, because the ledger says it was passed before; alerts for an hour",
    "nothing, if the object or its cluster was created again",
)
OWNERSHIP_CONFLICT = AlertKind(
    "MeritOwnershipConflict",
    "warning",
    "a name, the route or spec.rollback belongs to somebody else",
    "rename, or remove spec.rollback from Git",
)
KINDS = (
    ROLLBACK_BLOCKED, INTERNAL_ERROR, NO_HEALTHY_REVISION, FLEET_INCIDENT, BREACHED, ROLLED_BACK,
    METRICS_LOST, INCONCLUSIVE, GATE_GIVEN_UP, RETRAIN_FAILED, OWNERSHIP_CONFLICT, BYPASSED,
    RESTORED, REJECTED,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Alert:
    """One incident of one object, as long as it lasts.

    `labels` identify it and never change while it lasts; `annotations` may. `since`: Unix seconds,
    from status, so that every replica of the operator sends the same.
    """

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    since: float

    @property
    def identity(self) -> tuple[tuple[str, str], ...]:
        """Two alerts with the same labels are the same alert."""
        return tuple(sorted(self.labels.items()))
