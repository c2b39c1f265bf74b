"""The alerts of an object, derived anew in every pass from what is observed and decided. Pure.

A restarted operator derives the same alerts under the same labels. What changes often (numbers,
versions, revisions) is in annotations: a changed label would make a second alert of one incident.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from merit.api.spec import Spec
from merit.api.status import Status
from merit.policy.live.retraining import overdue, retrain_signal
from merit.policy.outcomes.incident import REASON as FLEET
from merit.policy.outcomes.incident import held_since
from merit.policy.report.alert_kinds import (
    BREACHED,
    BYPASSED,
    FLEET_INCIDENT,
    GATE_GIVEN_UP,
    INCONCLUSIVE,
    METRICS_LOST,
    NO_HEALTHY_REVISION,
    OWNERSHIP_CONFLICT,
    REJECTED,
    RESTORED,
    RETRAIN_FAILED,
    ROLLBACK_BLOCKED,
    ROLLED_BACK,
    Alert,
    Severity,
)
from merit.policy.report.alert_of import Finding, alert_of, alert_of_failure, owner_of
from merit.policy.report.named_state import NamedState, State, named_state
from merit.policy.signals.gauge_signals import LOST, lost_signals
from merit.policy.state.counted_signals import breach_text
from merit.policy.state.observed import Observed
from merit.policy.state.responses import Where, effects, mode_of, responds
from merit.policy.state.times import age

NO_PREDECESSOR = "NoHealthyRevision"
BLOCKED_AFTER = 30.0  # seconds that a rollback may take before it counts as blocked
LOST_AFTER = 300.0  # seconds without metrics before somebody is alerted
FAILED_FOR = 3600.0  # seconds for which a failed retraining alerts after its cause is gone
RESTORED_FOR = 3600.0  # seconds for which a gate that the ledger says was passed alerts


@dataclass(frozen=True, slots=True)
class _View:
    """An object in one pass. `status`: as the pass leaves it; `now`: Unix seconds."""

    seen: Observed
    status: Status
    named: NamedState
    now: float


Rule = Callable[[_View], Iterator[Finding]]


def alerts(seen: Observed, status: Status, now: float) -> tuple[Alert, ...]:
    """Every alert of the object. `status`: as this pass leaves it; `now`: Unix seconds."""
    if seen.deleting:
        return ()
    owner, view = owner_of(seen), _View(seen, status, named_state(seen, status), now)
    found = [alert_of(seen, owner, finding) for rule in RULES for finding in rule(view)]
    found += [alert_of_failure(seen, status, now)] if seen.failed else []
    return tuple({alert.identity: alert for alert in reversed(found)}.values())[::-1]


def _rollback_blocked(view: _View) -> Iterator[Finding]:
    entry = view.named.rejection
    if entry is None or not view.named.rolled_back or view.named.settled:
        return
    if age(entry.at, view.now) > BLOCKED_AFTER:
        shares = ", ".join(f"{k} {v}%" for k, v in sorted(view.seen.traffic.route.weights.items()))
        summary = (
            f"version {entry.version} was rejected ({entry.evidence}), yet the route stands at "
            f"{shares or 'nothing'}"
        )
        yield Finding(ROLLBACK_BLOCKED, "RollbackBlocked", summary, entry.at)


def _rolled_back(view: _View) -> Iterator[Finding]:
    condition = view.status.condition("RolledBack")
    if condition is not None and view.named.state is not State.ROLLBACK_BLOCKED:
        since = condition.last_transition_time
        yield Finding(ROLLED_BACK, condition.reason, condition.message, since)


def _rejected(view: _View) -> Iterator[Finding]:
    entry = view.named.rejection
    if entry is not None and entry.stage != "Rollout" and view.status.candidate is None:
        summary = f"version {entry.version} did not pass {entry.stage}: {entry.evidence}"
        yield Finding(REJECTED, entry.reason, summary, entry.at, more={"stage": entry.stage})


def _no_healthy_revision(view: _View) -> Iterator[Finding]:
    alarm = view.status.alarm
    if alarm is not None and alarm.held == NO_PREDECESSOR:
        summary, more = f"{alarm.message}; {alarm.why}", {"signal": alarm.signal}
        yield Finding(NO_HEALTHY_REVISION, NO_PREDECESSOR, summary, alarm.at, more=more)


def _fleet_incident(view: _View) -> Iterator[Finding]:
    since = held_since(view.status)
    if since:
        held = next((s.message for s in view.status.flow if s.reason == FLEET), "")
        summary = held or (view.status.alarm.why if view.status.alarm is not None else "")
        yield Finding(FLEET_INCIDENT, FLEET, summary, since)


def _pods_end(view: _View) -> Iterator[Finding]:
    """Pods of what serves crash again and again, and nothing is rolled back for it."""
    alarm = view.status.alarm
    if alarm is not None and alarm.signal == "pods" and alarm.held != NO_PREDECESSOR:
        summary = f"{alarm.message}; {alarm.why}" if alarm.why else alarm.message
        more = {"signal": alarm.signal, "who": "live"}
        yield Finding(BREACHED, alarm.reason, summary, alarm.at, severity="critical", more=more)


def _breached_live(view: _View) -> Iterator[Finding]:
    alarm, accepted = view.status.alarm, view.seen.record(view.status.stable)
    trusted = view.status.condition("Trusted")
    since = trusted.last_transition_time if trusted else ""
    for signal in view.status.signals if accepted else ():
        if signal.verdict == "Bad" and accepted is not None:
            summary = breach_text(signal)
            if alarm is not None and alarm.signal == signal.name:
                if alarm.held == NO_PREDECESSOR:
                    continue  # it has an alert of its own: one incident pages once
                summary += f"; {alarm.why or 'it is being compared'}"
            yield from _breach(accepted.spec, signal.name, "live", "Breached", summary, since)


def _breached_in_canary(view: _View) -> Iterator[Finding]:
    candidate, rollout = view.status.candidate, view.status.stage("Rollout")
    if candidate is None or rollout is None:
        return
    reason, at, pods = rollout.reason, rollout.at, {"signal": "pods", "who": "candidate"}
    if candidate.stage == "Withdrawn" and reason == "PodsDown":
        summary = f"version {candidate.version} lost its traffic: {rollout.message}"
        yield Finding(BREACHED, reason, summary, at, severity="critical", more=pods)
    accepted = view.seen.record(candidate)
    if candidate.weight == 0 or rollout.verdict != "Bad" or accepted is None:
        return
    summary = f"version {candidate.version} at {candidate.weight}%: {rollout.message}"
    if reason == "CrashLoop":
        yield Finding(BREACHED, reason, summary, at, severity="critical", more=pods)
    else:
        yield from _breach(accepted.spec, rollout.signal, "candidate", reason, summary, at)


def _breach(
    spec: Spec, signal: str, where: Where, reason: str, summary: str, since: str
) -> Iterator[Finding]:
    """For what continues although it is bad; a rollback has an alert of its own."""
    if not effects(spec, signal, where).alerts:
        return
    mode, response = mode_of(spec, signal), responds(spec, signal)
    notes = {"response": response, "failure_mode": mode.name if mode else "none declared"}
    if mode is not None and mode.impact:
        notes["impact"] = mode.impact
    grave: Severity = "critical" if response == "Rollback" else "warning"
    more = {"signal": signal, "who": where}
    yield Finding(BREACHED, reason, summary, since, severity=grave, more=more, notes=notes)


def _metrics_lost(view: _View) -> Iterator[Finding]:
    there = view.status.condition("MetricsAvailable")
    if there is None or (there.status != "False" and there.reason != "NoTraffic"):
        return
    if age(there.last_transition_time, view.now) > LOST_AFTER:
        # The exact reason may change from poll to poll, so it is no label.
        summary = f"{there.reason}: {there.message}"
        yield Finding(METRICS_LOST, "MetricsLost", summary, there.last_transition_time)


def _signal_lost(view: _View) -> Iterator[Finding]:
    there = view.status.condition("MetricsAvailable")
    if there is not None and there.status == "False" and there.reason != "NoBucketEdge":
        return  # everything is lost, which has an alert of its own
    for signal in lost_signals(view.seen, view.status):
        if age(signal.at, view.now) > LOST_AFTER:
            summary, more = f"{signal.name} has no data: {signal.value}", {"signal": signal.name}
            yield Finding(METRICS_LOST, LOST, summary, signal.at, more=more)


def _inconclusive(view: _View) -> Iterator[Finding]:
    candidate, rollout = view.status.candidate, view.status.stage("Rollout")
    if candidate is not None and rollout is not None and rollout.reason == "Inconclusive":
        summary = f"version {candidate.version} at {candidate.weight}%: {rollout.message}"
        yield Finding(INCONCLUSIVE, rollout.reason, summary, rollout.at)


def _gate_given_up(view: _View) -> Iterator[Finding]:
    candidate = view.status.candidate
    if candidate is None or not candidate.at_gate or view.named.state is not State.HELD:
        return
    gate = view.status.stage(candidate.stage)
    if gate is None:
        return
    summary = f"version {candidate.version}, run {candidate.attempt}: {gate.message}"
    yield Finding(GATE_GIVEN_UP, gate.reason, summary, gate.at, more={"stage": candidate.stage})


def _retrain_failed(view: _View) -> Iterator[Finding]:
    run = view.status.retrain
    if run is None:
        return
    if overdue(run, view.now):
        yield Finding(RETRAIN_FAILED, run.reason, run.message, run.at)
    elif run.outcome == "Failed" and (
        retrain_signal(view.seen, view.status) is not None or age(run.ended, view.now) < FAILED_FOR
    ):
        yield Finding(RETRAIN_FAILED, "RetrainFailed", f"run {run.run}: {run.message}", run.ended)


def _bypassed(view: _View) -> Iterator[Finding]:
    condition = view.status.condition("Bypassed")
    if condition is not None and condition.status == "True":
        since = condition.last_transition_time
        yield Finding(BYPASSED, "Bypassed", condition.message, since)


def _restored(view: _View) -> Iterator[Finding]:
    gate = next((s for s in view.status.flow if s.reason == "Restored"), None)
    if gate is not None and age(gate.at, view.now) < RESTORED_FOR:
        yield Finding(RESTORED, "Restored", f"{gate.stage}: {gate.message}", gate.at)


def _ownership_conflict(view: _View) -> Iterator[Finding]:
    for condition in view.status.conditions:
        if condition.reason == "OwnershipConflict" and condition.status == "True":
            since = condition.last_transition_time
            yield Finding(OWNERSHIP_CONFLICT, condition.reason, condition.message, since)
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
    _signal_lost,
    _inconclusive,
    _gate_given_up,
    _retrain_failed,
    _ownership_conflict,
    _bypassed,
    _restored,
    _rejected,
)
