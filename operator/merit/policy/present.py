"""What people and tools read: conditions, phase, trust, a summary. Nothing decides on it."""

from __future__ import annotations

from merit.api.defaults import effective
from merit.api.quantity import format_duration
from merit.api.spec import Spec
from merit.api.status import Condition, NextStep, Rejection, Status
from merit.api.validation import Invalid
from merit.evidence.counts import NoSample
from merit.policy.converge import wanted_weights
from merit.policy.live import trust_condition, trusted
from merit.policy.observed import Observed
from merit.policy.remember import rejection
from merit.policy.times import stamp

_STALLED_GATE = {
    "Evaluation": "EvaluationFailed",
    "Feasibility": "Infeasible",
    "Rollout": "RolledBack",
}


def present(seen: Observed, status: Status, now: float) -> Status:
    """Status with everything that is derived from the rest of it."""
    entry = rejection(status, seen.identity) if seen.identity else None
    conditions = _stamped(seen, status, _conditions(seen, status, entry), now)
    phase = _phase(seen, status, entry)
    return status.model_copy(
        update={
            "observed_generation": seen.generation,
            "conditions": conditions,
            "phase": phase,
            "trust": _trust(status, entry, conditions),
            "summary": _summary(seen, status, entry)[:256],
            "effective": _effective(seen, status),
            "next": _next(seen, status, entry),
            "leaving": tuple(a for a in status.leaving if a.short in seen.arms)
            if status == seen.status
            else status.leaving,
        }
    )


def invalid(seen: Observed) -> Invalid | None:
    """What is wrong with the declared spec, ours or the API server's sentence."""
    return seen.spec if isinstance(seen.spec, Invalid) else seen.refused


def _conditions(seen: Observed, status: Status, entry: Rejection | None) -> list[Condition]:
    wrong, candidate, stable = invalid(seen), status.candidate, status.stable
    serves = stable is not None and bool(seen.route.weights)
    found: list[Condition] = []
    if wrong is not None:
        found += [_c("Ready", "False", "InvalidSpec", wrong.sentence())]
        found += [_c("Stalled", "True", "InvalidSpec", wrong.sentence())]
    elif seen.conflict:
        found += [_c("Ready", "False", "OwnershipConflict", seen.conflict)]
        found += [_c("Stalled", "True", "OwnershipConflict", seen.conflict)]
    elif entry is not None and candidate is None:
        reason = _STALLED_GATE[entry.stage]
        moved = dict(seen.route.weights) == wanted_weights(status)
        if not moved:
            found += [_c("Ready", "False", "RollbackBlocked", "traffic is being taken back")]
            found += [_c("Reconciling", "True", "RollbackBlocked", "traffic is being taken back")]
        else:
            found += [_c("Ready", "False", reason, entry.evidence)]
            found += [_c("Stalled", "True", reason, f"{entry.evidence}; {_retry(entry)}")]
    elif candidate is not None:
        verdict = _last(status)
        if verdict[0] == "held":
            found += [_c("Ready", "False", verdict[1], verdict[2])]
            found += [_c("Stalled", "True", verdict[1], verdict[2])]
        else:
            found += [_c("Ready", "False", verdict[1], verdict[2])]
            found += [_c("Reconciling", "True", verdict[1], verdict[2])]
    elif serves:
        found += [_c("Ready", "True", "Live", f"revision {stable.short if stable else ''} serves")]
    else:
        found += [_c("Ready", "False", "Progressing", "waiting for traffic to be set")]
        found += [_c("Reconciling", "True", "Progressing", "waiting for traffic to be set")]
    if entry is not None and entry.stage == "Rollout" and candidate is None:
        found.append(_c("RolledBack", "True", entry.reason, entry.evidence))
    found.append(
        _c("Available", "True", "StableServes", "")
        if serves
        else _c("Available", "False", "NotYet", "no revision serves users yet")
    )
    found += [_gate(status, "Evaluated", "Evaluation"), _gate(status, "Feasible", "Feasibility")]
    found.append(_traffic(seen))
    exposed = candidate is not None and candidate.weight > 0
    found.append(
        _c("Trusted", "Unknown", "Earning", "the candidate is earning it")
        if exposed
        else trust_condition(status.signals)
    )
    found.append(_metrics(seen, status))
    if isinstance(seen.spec, Spec) and seen.spec.paused:
        found.append(_c("Paused", "True", "Paused", "spec.paused holds it; safety still acts"))
    if seen.pin_is_foreign:
        found.append(_c("OwnershipConflict", "True", "OwnershipConflict",
                        "take spec.rollback out of Git: it belongs to the operator"))  # fmt: skip
    return found


def _c(type_: str, status: str, reason: str, message: str) -> Condition:
    return Condition.model_validate(
        {"type": type_, "status": status, "reason": reason or "Unknown", "message": message[:1024]}
    )


def _stamped(
    seen: Observed, status: Status, found: list[Condition], now: float
) -> tuple[Condition, ...]:
    """Conditions with times: one moves only when its status does."""
    stamped = []
    for condition in found:
        old = seen.status.condition(condition.type)
        same = old is not None and old.status == condition.status
        at = old.last_transition_time if same and old else stamp(now)
        stamped.append(
            condition.model_copy(
                update={"last_transition_time": at, "observed_generation": seen.generation}
            )
        )
    return tuple(stamped)


def _last(status: Status) -> tuple[str, str, str]:
    """held or going on, with the reason and words of the stage that the candidate is in."""
    candidate = status.candidate
    assert candidate is not None
    stage = "Rollout" if candidate.stage in ("Holdback", "Withdrawn") else candidate.stage
    entry = next((s for s in status.flow if s.stage == stage), None)
    if entry is None:
        return "going", candidate.stage, f"{candidate.stage} begins"
    running = entry.reason in ("EvaluationRunning", "JobFailed") and candidate.attempt <= 3
    if stage != "Rollout" and entry.verdict in ("Undecided", "NoData") and not running:
        return "held", entry.reason, entry.message
    name = "Canary" if candidate.stage == "Rollout" and candidate.weight else candidate.stage
    return "going", name if entry.verdict == "Undecided" else entry.reason, entry.message


def _gate(status: Status, type_: str, stage: str) -> Condition:
    entry = next((s for s in status.flow if s.stage == stage), None)
    if entry is None:
        return _c(type_, "Unknown", "NotYet", "has not run for this revision")
    word = {"Good": "True", "Bad": "False"}.get(entry.verdict, "Unknown")
    return _c(type_, word, entry.reason, entry.message)


def _traffic(seen: Observed) -> Condition:
    if not seen.route.exists:
        return _c("TrafficShifted", "Unknown", "NoRoute", "no route yet")
    if seen.route.accepted is None:
        return _c("TrafficShifted", "Unknown", "Pending", "the gateway has not answered yet")
    if seen.route.accepted:
        return _c("TrafficShifted", "True", "RouteAccepted", "")
    return _c("TrafficShifted", "False", "RouteNotAccepted", seen.route.reason)


def _metrics(seen: Observed, status: Status) -> Condition:
    if isinstance(seen.sample, NoSample):
        return _c("MetricsAvailable", "False", seen.sample.reason, seen.sample.message)
    if seen.sample is None:
        old = status.condition("MetricsAvailable")
        return old or _c("MetricsAvailable", "Unknown", "NotAsked", "nothing needed them yet")
    said = seen.tuning.source
    if not seen.tuning.per_pod:
        patience = format_duration(seen.tuning.constants.patience_unmeasured)
        said += f": no per-pod counts, so dispersion is taken as 3 and patience is {patience}"
    return _c("MetricsAvailable", "True", "Fresh", said)


def _retry(entry: Rejection) -> str:
    if entry.stage == "Rollout":
        return "it is tried again for new content, or new bars"
    return f"it is tried again for new content, or another spec.{entry.stage.lower()}"


def _phase(seen: Observed, status: Status, entry: Rejection | None) -> str:
    candidate = status.candidate
    if invalid(seen) is not None and candidate is None:
        return "Invalid"
    if candidate is not None:
        if candidate.stage == "Evaluation":
            return "Evaluating"
        if candidate.stage == "Feasibility":
            return "Checking"
        if candidate.stage == "Withdrawn":
            return "Withdrawn"
        word = "Holdback" if candidate.stage == "Holdback" else "Canary"
        return f"{word} {candidate.weight}%" if candidate.weight else "Starting"
    if entry is not None:
        return "RolledBack" if entry.stage == "Rollout" else "Rejected"
    return "Live" if status.stable is not None else "Pending"


def _trust(status: Status, entry: Rejection | None, conditions: tuple[Condition, ...]) -> str:
    if status.candidate is not None and status.candidate.weight > 0:
        return "Earning"
    if entry is not None and entry.stage == "Rollout" and status.candidate is None:
        return "Lost"
    trusted = next((c for c in conditions if c.type == "Trusted"), None)
    words = {"True": "Earned", "False": "Lost"}
    return words.get(trusted.status, "Unknown") if trusted and status.stable else "Unknown"


def _summary(seen: Observed, status: Status, entry: Rejection | None) -> str:
    wrong = invalid(seen)
    if wrong is not None:
        return wrong.sentence()
    if seen.conflict:
        return seen.conflict
    if status.candidate is not None:
        return _last(status)[2]
    if entry is not None:
        return entry.evidence
    if status.stable is not None:
        word, _, message = trusted(status.signals)
        since = f"; watched since {status.stable.promoted_at}"
        return message + (since if word == "True" else "")
    return "waiting for the operator"


def _effective(seen: Observed, status: Status) -> dict[str, object]:
    if not isinstance(seen.spec, Spec):
        return status.effective
    return effective(seen.spec, source=seen.tuning.source).to_status()


def _next(seen: Observed, status: Status, entry: Rejection | None) -> NextStep | None:
    candidate = status.candidate
    if invalid(seen) is not None:
        return NextStep(what="correct the spec")
    if candidate is not None:
        what = {
            "Evaluation": "judge the report when the Job ends",
            "Feasibility": "check cost and replicas",
            "Rollout": "judge again with the next scrape",
            "Holdback": "promote when the holdback is over",
            "Withdrawn": "start again when the cause is gone",
        }[candidate.stage]
        return NextStep(what=what)
    if entry is not None:
        return NextStep(what="nothing until new content or new bars")
    return NextStep(what="keep watching") if status.stable else None
