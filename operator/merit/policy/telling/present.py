"""What people and tools read: conditions, phase, trust, a summary. Nothing decides on it."""

from __future__ import annotations

from merit.api.defaults import effective
from merit.api.spec import Spec
from merit.api.status import Condition, NextStep, Rejection, Status
from merit.policy.observed import Observed
from merit.policy.remember import rejection
from merit.policy.retrain import condition_of
from merit.policy.standing.arms import still_leaving
from merit.policy.standing.converge import blocked
from merit.policy.telling.ahead import next_step
from merit.policy.telling.conditions import (
    conditions_of,
    invalid,
    newer,
    progress,
    settled,
    stamped,
)
from merit.policy.watch.live import trusted


def present(seen: Observed, status: Status, now: float) -> Status:
    """Status with everything that is derived from the rest of it."""
    entry = rejection(status, seen.identity) if seen.identity else None
    training = condition_of(seen, status, now)
    found = [*conditions_of(seen, status, entry, now), *([training] if training else [])]
    conditions = stamped(seen, found, now)
    phase = _phase(seen, status, entry)
    if status.bypass is not None and status.bypass.state == "InForce":
        phase += " (bypassed)"
    return status.model_copy(
        update={
            "observed_generation": seen.generation,
            "conditions": conditions,
            "phase": phase,
            "trust": _trust(status, entry, conditions),
            "summary": _summary(seen, status, entry)[:256],
            "effective": _effective(seen, status),
            "next": NextStep(what="correct the spec")
            if invalid(seen) is not None
            else next_step(seen, status, entry),
            "leaving": still_leaving(seen, status, now),
        }
    )


def _phase(seen: Observed, status: Status, entry: Rejection | None) -> str:
    candidate = status.candidate
    if invalid(seen) is not None and candidate is None and not blocked(seen, status):
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
        if entry.stage != "Rollout":
            return "Rejected"
        return "RolledBack" if settled(seen, status) else "RollingBack"
    if status.verifying is not None:
        return "Verifying"
    if newer(seen, status):
        return "Accepting"
    return "Live" if status.stable is not None else "Pending"


def _trust(status: Status, entry: Rejection | None, conditions: tuple[Condition, ...]) -> str:
    if status.candidate is not None and status.candidate.weight > 0:
        return "Earning"
    if entry is not None and entry.stage == "Rollout" and status.candidate is None:
        return "Lost"
    if status.verifying is not None:
        return "Verifying"
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
        return progress(status)[2]
    if entry is not None:
        return entry.evidence
    if status.stable is not None:
        word, _, message = trusted(seen, status)
        since = f"; watched since {status.stable.promoted_at}"
        return message + (since if word == "True" else "")
    return "waiting for the operator"


def _effective(seen: Observed, status: Status) -> dict[str, object]:
    if not isinstance(seen.spec, Spec):
        return status.effective
    return effective(seen.spec, source=seen.tuning.source).to_status()
