"""How something to alert of becomes an alert of an owner. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from merit.api.spec import Owner, Spec
from merit.api.status import Status
from merit.policy.report.alert_kinds import INTERNAL_ERROR, Alert, AlertKind, Severity
from merit.policy.report.named_state import failure
from merit.policy.state.observed import Observed
from merit.policy.state.times import seconds, stamp

LONGEST = 1024  # characters of an annotation


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to alert of. `more`: labels besides the usual ones; `notes`: annotations."""

    kind: AlertKind
    reason: str
    summary: str
    since: str
    severity: Severity | None = None
    more: Mapping[str, str] = field(default_factory=dict)  # labels
    notes: Mapping[str, str] = field(default_factory=dict)  # annotations


def owner_of(seen: Observed) -> Owner:
    """The owner that the declared spec names, or an accepted one while that is invalid."""
    if isinstance(seen.declared.spec, Spec):
        return seen.declared.spec.owner
    stable = seen.record(seen.status.stable)
    known = stable or next(iter(seen.recorded.accepted.values()), None)
    return known.spec.owner if known else Owner(team="unknown", contact="unknown")


def alert_of(seen: Observed, owner: Owner, finding: Finding) -> Alert:
    """The alert with all its labels and annotations."""
    labels = {
        "alertname": finding.kind.name,
        "severity": finding.severity or finding.kind.severity,
        "namespace": seen.namespace,
        "name": seen.name,
        "team": owner.team,
        "contact": owner.contact,
        "reason": finding.reason,
        **finding.more,
    }
    annotations = {
        "summary": f"{seen.namespace}/{seen.name}: {finding.summary}"[:LONGEST],
        "description": f"{finding.kind.means}; {finding.kind.remedy}",
        **finding.notes,
    }
    if owner.runbook:
        annotations["runbook_url"] = owner.runbook
    return Alert(labels=labels, annotations=annotations, since=seconds(finding.since))


def alert_of_failure(seen: Observed, status: Status, now: float) -> Alert:
    """The alert that a pass has failed: it needs nothing that may have failed."""
    said = status.condition("Stalled") or status.condition("Ready")
    since = said.last_transition_time if said is not None else stamp(now)
    finding = Finding(INTERNAL_ERROR, "InternalError", failure(seen), since)
    return alert_of(seen, owner_of(seen), finding)
