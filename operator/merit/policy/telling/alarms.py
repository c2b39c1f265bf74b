"""What a person should know of now: alarms, derived anew from what is seen and decided. Pure.

Nothing is remembered: an operator that starts again finds the same alarms under the same labels,
so Alertmanager goes on with those that it has. What changes all the time (numbers, versions,
revisions) is in annotations, which never make another alert of one incident.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from merit.api.spec import Owner, Spec
from merit.api.status import Status
from merit.policy.observed import Observed
from merit.policy.remember import rejection
from merit.policy.responses import Where, effects, mode_of, responds
from merit.policy.retrain import asks, overdue
from merit.policy.signals import breach
from merit.policy.standing.converge import wanted_weights
from merit.policy.telling.alarm import (
    BREACHED,
    BYPASSED,
    FLEET_INCIDENT,
    GATE_GIVEN_UP,
    METRICS_LOST,
    NO_HEALTHY_REVISION,
    OWNERSHIP_CONFLICT,
    REJECTED,
    RESTORED,
    RETRAIN_FAILED,
    ROLLBACK_BLOCKED,
    ROLLED_BACK,
    Alarm,
    Kind,
    Severity,
)
from merit.policy.times import age, seconds
from merit.policy.watch.breaker import REASON as FLEET
from merit.policy.watch.breaker import held_since

LONGEST = 1024  # characters of an annotation

NOWHERE = "NoHealthyRevision"
BLOCKED_AFTER = 30.0  # seconds within which a rollback moves traffic when all is well
LOST_AFTER = 300.0  # seconds without metrics that are worth waking somebody
FAILED_FOR = 3600.0  # seconds for which a failed training is told of, if its cause is gone
RESTORED_FOR = 3600.0  # seconds for which it is told that a gate was taken from the ledger


@dataclass(frozen=True, slots=True)
class _Found:
    kind: Kind
    reason: str
    summary: str
    since: str
    severity: Severity | None = None
    more: Mapping[str, str] = field(default_factory=dict)  # labels
    notes: Mapping[str, str] = field(default_factory=dict)  # annotations


Rule = Callable[[Observed, Status, float], Iterator[_Found]]


def alarms(seen: Observed, status: Status, now: float) -> tuple[Alarm, ...]:
    """Every alarm of the object. `status`: as this pass leaves it; `now`: Unix seconds."""
    if seen.deleting:
        return ()
    owner = _owner(seen)
    found = [_alarm(seen, owner, each) for rule in RULES for each in rule(seen, status, now)]
    return tuple({alarm.identity: alarm for alarm in reversed(found)}.values())[::-1]


def _rollback_blocked(seen: Observed, status: Status, now: float) -> Iterator[_Found]:
    entry = rejection(status, seen.identity) if seen.identity else None
    if entry is None or entry.stage != "Rollout" or status.candidate is not None:
        return
    if dict(seen.route.weights) != wanted_weights(status) and age(entry.at, now) > BLOCKED_AFTER:
        said = f"version {entry.version} was rejected ({entry.evidence}), yet the route stands at "
        shares = ", ".join(f"{k} {v}%" for k, v in sorted(seen.route.weights.items()))
        yield _Found(ROLLBACK_BLOCKED, "RollbackBlocked", said + (shares or "nothing"), entry.at)


def _rolled_back(seen: Observed, status: Status, now: float) -> Iterator[_Found]:
    told, ready = status.condition("RolledBack"), status.condition("Ready")
    if told is None or told.status != "True":
        return
    if ready is None or ready.reason != "RollbackBlocked":
        yield _Found(ROLLED_BACK, told.reason, told.message, told.last_transition_time)


def _rejected(seen: Observed, status: Status, now: float) -> Iterator[_Found]:
    entry = rejection(status, seen.identity) if seen.identity else None
    if entry is not None and entry.stage != "Rollout" and status.candidate is None:
        said = f"version {entry.version} did not pass {entry.stage}: {entry.evidence}"
        yield _Found(REJECTED, entry.reason, said, entry.at, more={"stage": entry.stage})


def _no_healthy_revision(seen: Observed, status: Status, now: float) -> Iterator[_Found]:
    alarm = status.alarm
    if alarm is not None and alarm.held == NOWHERE:
        said = f"{alarm.message}; {alarm.why}"
        yield _Found(NO_HEALTHY_REVISION, NOWHERE, said, alarm.at, more={"signal": alarm.signal})


def _fleet_incident(seen: Observed, status: Status, now: float) -> Iterator[_Found]:
    since = held_since(status)
    if since:
        told = next((s.message for s in status.flow if s.reason == FLEET), "")
        said = status.alarm.why if status.alarm is not None else told
        yield _Found(FLEET_INCIDENT, FLEET, said, since)


def _pods_end(seen: Observed, status: Status, now: float) -> Iterator[_Found]:
    """Pods of what serves end again and again, and nothing is rolled back for it."""
    alarm = status.alarm
    if alarm is not None and alarm.signal == "pods" and alarm.held != NOWHERE:
        said = f"{alarm.message}; {alarm.why}" if alarm.why else alarm.message
        more = {"signal": alarm.signal, "who": "live"}
        yield _Found(BREACHED, alarm.reason, said, alarm.at, severity="critical", more=more)


def _breached_live(seen: Observed, status: Status, now: float) -> Iterator[_Found]:
    stable = status.stable
    accepted = seen.accepted.get(f"{stable.short}-{stable.policy}") if stable else None
    trusted = status.condition("Trusted")
    since = trusted.last_transition_time if trusted else ""
    for signal in status.signals if accepted else ():
        if signal.verdict == "Bad" and accepted is not None:
            said = breach(signal)
            if status.alarm is not None and status.alarm.signal == signal.name:
                if status.alarm.held == NOWHERE:
                    continue  # told as such: one incident pages once
                said += f"; {status.alarm.why}" if status.alarm.why else "; it is being verified"
            yield from _breach(accepted.spec, signal.name, "live", "Breached", said, since)


def _breached_in_canary(seen: Observed, status: Status, now: float) -> Iterator[_Found]:
    candidate = status.candidate
    told = next((s for s in status.flow if s.stage == "Rollout"), None)
    if candidate is None or told is None:
        return
    pods = {"signal": "pods", "who": "candidate"}
    if candidate.stage == "Withdrawn" and told.reason == "PodsDown":
        said = f"version {candidate.version} lost its traffic: {told.message}"
        yield _Found(BREACHED, told.reason, said, told.at, severity="critical", more=pods)
    if candidate.weight == 0 or told.verdict != "Bad":
        return
    accepted = seen.accepted.get(f"{candidate.short}-{candidate.policy}")
    if accepted is not None:
        said = f"version {candidate.version} at {candidate.weight}%: {told.message}"
        if told.reason == "CrashLoop":
            yield _Found(BREACHED, told.reason, said, told.at, severity="critical", more=pods)
            return
        signal = "latency" if told.reason.startswith("Latency") else "errors"
        yield from _breach(accepted.spec, signal, "candidate", told.reason, said, told.at)


def _breach(
    spec: Spec, signal: str, where: Where, reason: str, summary: str, since: str
) -> Iterator[_Found]:
    """What goes on although it is bad; what was taken back is told by the rollback."""
    if not effects(spec, signal, where).alerts:
        return
    mode, response = mode_of(spec, signal), responds(spec, signal)
    notes = {"response": response, "failure_mode": mode.name if mode else "none declared"}
    if mode is not None and mode.impact:
        notes["impact"] = mode.impact
    grave: Severity = "critical" if response == "Rollback" else "warning"
    more = {"signal": signal, "who": where}
    yield _Found(BREACHED, reason, summary, since, severity=grave, more=more, notes=notes)


def _metrics_lost(seen: Observed, status: Status, now: float) -> Iterator[_Found]:
    there = status.condition("MetricsAvailable")
    if there is None or (there.status != "False" and there.reason != "NoTraffic"):
        return
    if age(there.last_transition_time, now) > LOST_AFTER:
        # The exact reason may change from look to look: it is no label.
        said = f"{there.reason}: {there.message}"
        yield _Found(METRICS_LOST, "MetricsLost", said, there.last_transition_time)


def _gate_given_up(seen: Observed, status: Status, now: float) -> Iterator[_Found]:
    candidate, stalled = status.candidate, status.condition("Stalled")
    if candidate is None or candidate.stage not in ("Evaluation", "Feasibility"):
        return
    told = next((s for s in status.flow if s.stage == candidate.stage), None)
    if told is None or stalled is None or stalled.reason != told.reason:
        return
    said = f"version {candidate.version}, run {candidate.attempt}: {told.message}"
    yield _Found(GATE_GIVEN_UP, told.reason, said, told.at, more={"stage": candidate.stage})


def _retrain_failed(seen: Observed, status: Status, now: float) -> Iterator[_Found]:
    run = status.retrain
    if run is None:
        return
    if overdue(run, now):
        yield _Found(RETRAIN_FAILED, run.reason, run.message, run.at)
    elif run.outcome == "Failed" and (
        asks(seen, status) is not None or age(run.ended, now) < FAILED_FOR
    ):
        yield _Found(RETRAIN_FAILED, "RetrainFailed", f"run {run.run}: {run.message}", run.ended)


def _bypassed(seen: Observed, status: Status, now: float) -> Iterator[_Found]:
    condition = status.condition("Bypassed")
    if condition is not None and condition.status == "True":
        since = condition.last_transition_time
        yield _Found(BYPASSED, "Bypassed", condition.message, since)


def _restored(seen: Observed, status: Status, now: float) -> Iterator[_Found]:
    told = next((s for s in status.flow if s.reason == "Restored"), None)
    if told is not None and age(told.at, now) < RESTORED_FOR:
        yield _Found(RESTORED, "Restored", f"{told.stage}: {told.message}", told.at)


def _ownership_conflict(seen: Observed, status: Status, now: float) -> Iterator[_Found]:
    for condition in status.conditions:
        if condition.reason == "OwnershipConflict" and condition.status == "True":
            since = condition.last_transition_time
            yield _Found(OWNERSHIP_CONFLICT, condition.reason, condition.message, since)
            return


RULES: tuple[Rule, ...] = (
    _rollback_blocked,
    _no_healthy_revision,
    _fleet_incident,
    _pods_end,
    _breached_live,
    _breached_in_canary,
    _rolled_back,
    _metrics_lost,
    _gate_given_up,
    _retrain_failed,
    _ownership_conflict,
    _bypassed,
    _restored,
    _rejected,
)


def _owner(seen: Observed) -> Owner:
    """Who is told: by the declared spec, or by the newest accepted one while that is invalid."""
    if isinstance(seen.spec, Spec):
        return seen.spec.owner
    stable = seen.status.stable
    known = seen.accepted.get(f"{stable.short}-{stable.policy}") if stable else None
    known = known or next(iter(seen.accepted.values()), None)
    return known.spec.owner if known else Owner(team="unknown", contact="unknown")


def _alarm(seen: Observed, owner: Owner, found: _Found) -> Alarm:
    labels = {
        "alertname": found.kind.name,
        "severity": found.severity or found.kind.severity,
        "namespace": seen.namespace,
        "name": seen.name,
        "team": owner.team,
        "contact": owner.contact,
        "reason": found.reason,
        **found.more,
    }
    annotations = {
        "summary": f"{seen.namespace}/{seen.name}: {found.summary}"[:LONGEST],
        "description": f"{found.kind.means}; {found.kind.remedy}",
        **found.notes,
    }
    if owner.runbook:
        annotations["runbook_url"] = owner.runbook
    return Alarm(labels=labels, annotations=annotations, since=seconds(found.since))
