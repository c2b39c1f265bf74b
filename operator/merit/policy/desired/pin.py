"""The pin, `spec.rollback`: the operator's own field, a copy of what the ledger rejects now."""

from __future__ import annotations

from merit.api.status import Rejection, Status
from merit.policy.state.decision import ClearPin, Decision, Note, WritePin, decisive
from merit.policy.state.observed import Observed
from merit.policy.state.times import stamp
from merit.policy.state.transitions import rejection, without_candidate

LOSSES = 3  # of the pin within WITHIN seconds: another writer keeps removing it
WITHIN = 600.0


def restore_from_pin(seen: Observed, now: float) -> Decision | None:
    """Status was lost and the pin was not: the rejection is restored from it."""
    pin, identity = seen.pin.value, seen.declared.identity
    if pin is None or identity is None or pin.from_revision != identity.revision:
        return None
    if pin.from_policy != identity.stage_policy(pin.from_stage):
        return None
    if rejection(seen.status, identity) is not None:
        return None
    stable = seen.status.stable
    if seen.seen_before and stable is not None and stable.revision == identity.revision:
        return None  # it serves because of a verdict that is newer than this pin
    candidate = seen.status.candidate
    if candidate is not None and candidate.revision == identity.revision and candidate.retry:
        return None  # a person asked for a retry; the pin is being cleared
    if seen.seen_before and seen.pin.is_foreign:
        return None  # a copy in Git: the ledger alone decides
    entry = Rejection(
        revision=pin.from_revision,
        stage=pin.from_stage,
        policy=pin.from_policy,
        reason=pin.reason,
        at=pin.at or stamp(now),
        evidence=pin.message,
    )
    status = seen.status.model_copy(update={"rejected": (entry, *seen.status.rejected)})
    if status.candidate is not None and status.candidate.revision == identity.revision:
        status = without_candidate(status, now)
    what, why = f"{identity.short} stays rejected", "spec.rollback says so"
    note = Note("Restored", "the ledger was rebuilt from spec.rollback", warning=True)
    return decisive(status, what, why, now, note, urgent=True)


def pin_action(seen: Observed, status: Status, now: float) -> WritePin | ClearPin | None:
    """The write that brings the pin in line with the ledger, if one is due.

    A right value that the operator does not own is applied again: the next apply of its last owner
    would remove it. Another applier's value is neither changed nor cleared, and a pin that is taken
    away again and again is not put back for now.
    """
    if seen.declared.identity is None:
        return None
    wanted, current = _wanted(seen, status), _current(seen)
    if wanted is None:
        return ClearPin() if current is not None and not seen.pin.is_foreign else None
    if current == wanted:
        return None if seen.pin.is_ours else WritePin(wanted)
    if (current is not None and seen.pin.is_foreign) or pin_is_fought_over(seen, now):
        return None
    return WritePin(wanted)


def pin_conflict(seen: Observed, status: Status, now: float) -> str:
    """Why the pin is left as it is, though it is not what the ledger says; empty if it is."""
    if seen.declared.identity is None:
        return ""
    wanted, current = _wanted(seen, status), _current(seen)
    if current == wanted:
        return ""
    if current is not None and seen.pin.is_foreign:
        return "take spec.rollback out of Git: it belongs to the operator"
    if pin_is_fought_over(seen, now):
        return (
            f"spec.rollback was taken away {LOSSES} times in {WITHIN / 60:.0f} minutes and is not "
            "put back for now: find out who does it"
        )
    return ""


def pin_is_fought_over(seen: Observed, now: float) -> bool:
    """Whether it was taken away so often of late that it cannot be an accident."""
    return sum(now - at < WITHIN for at in seen.pin.losses) >= LOSSES


def _current(seen: Observed) -> dict[str, str] | None:
    return seen.pin.value.model_dump(by_alias=True) if seen.pin.value is not None else None


def _wanted(seen: Observed, status: Status) -> dict[str, str] | None:
    """What the pin should be. None for what a gate rejected: that content never had traffic."""
    identity = seen.declared.identity
    entry = rejection(status, identity) if identity is not None else None
    if entry is None or entry.stage != "Rollout":
        return None
    if status.stable is None:
        # Only the pin itself may know what serves instead, so it is kept.
        pin = seen.pin.value
        return _current(seen) if pin and pin.from_revision == entry.revision else None
    if status.stable.revision == entry.revision:
        return None
    return {
        "fromRevision": entry.revision,
        "fromStage": entry.stage,
        "fromPolicy": entry.policy,
        "toRevision": status.stable.revision,
        "reason": entry.reason,
        "message": entry.evidence[:1024],
        "at": entry.at,
    }
