"""`spec.rollback`, the operator's own field: it says what is rejected; the ledger decides."""

from __future__ import annotations

from merit.api.status import Rejection, Status
from merit.policy.decision import ClearPin, Decision, Note, WritePin
from merit.policy.observed import Observed
from merit.policy.remember import decided, dropped, rejection
from merit.policy.times import stamp

LOSSES = 3  # of the pin within WITHIN seconds: somebody else wants it otherwise
WITHIN = 600.0


def pin_remembers(seen: Observed, now: float) -> Decision | None:
    """Status was lost and the pin was not: the ledger is rebuilt from it."""
    pin, identity = seen.pin, seen.identity
    if pin is None or identity is None or pin.from_revision != identity.revision:
        return None
    if pin.from_policy != identity.stage_policy(pin.from_stage):
        return None
    if rejection(seen.status, identity) is not None:
        return None
    stable = seen.status.stable
    if seen.seen_before and stable is not None and stable.revision == identity.revision:
        return None  # it serves by a verdict that is newer than this pin
    candidate = seen.status.candidate
    if candidate is not None and candidate.revision == identity.revision and candidate.retry:
        return None  # a person asked to try it again; the pin is being cleared
    if seen.seen_before and seen.pin_is_foreign:
        return None  # somebody's copy in Git: the ledger alone decides
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
        status = dropped(status, now)
    status = decided(status, f"{identity.short} stays rejected", "spec.rollback says so", now)
    note = Note("Restored", "the ledger was rebuilt from spec.rollback", warning=True)
    return Decision(status, notes=(note,), decisive_status=True, urgent=True)


def pin_action(seen: Observed, status: Status, now: float) -> WritePin | ClearPin | None:
    """The write that brings the pin in line with the ledger, if one is due and not a fight.

    The right value is always owned again: a pin that we do not own is pruned by the next apply of
    somebody who never wrote it. Another applier's value is neither changed nor cleared.
    """
    if seen.identity is None:
        return None
    wanted, stands = _wanted(seen, status), _standing(seen)
    if wanted is None:
        return ClearPin() if stands is not None and not seen.pin_is_foreign else None
    if stands == wanted:
        return None if seen.pin_is_ours else WritePin(wanted)
    if (stands is not None and seen.pin_is_foreign) or pin_is_fought_over(seen, now):
        return None
    return WritePin(wanted)


def pin_conflict(seen: Observed, status: Status, now: float) -> str:
    """Why the pin is left as it is, though it is not what the ledger says; empty if it is."""
    if seen.identity is None:
        return ""
    wanted, stands = _wanted(seen, status), _standing(seen)
    if stands == wanted:
        return ""
    if stands is not None and seen.pin_is_foreign:
        return "take spec.rollback out of Git: it belongs to the operator"
    if pin_is_fought_over(seen, now):
        return (
            f"spec.rollback was taken away {LOSSES} times in {WITHIN / 60:.0f} minutes and is not "
            "put back for now: find out who does it"
        )
    return ""


def pin_is_fought_over(seen: Observed, now: float) -> bool:
    """Three losses in ten minutes are no accident."""
    return sum(now - at < WITHIN for at in seen.pin_losses) >= LOSSES


def _standing(seen: Observed) -> dict[str, str] | None:
    return seen.pin.model_dump(by_alias=True) if seen.pin is not None else None


def _wanted(seen: Observed, status: Status) -> dict[str, str] | None:
    """What the pin should be. None for a gate's no: that content never had traffic."""
    entry = rejection(status, seen.identity) if seen.identity is not None else None
    if entry is None or entry.stage != "Rollout":
        return None
    if status.stable is None:
        # Nothing tells what serves instead; a pin that says so is kept.
        pin = seen.pin
        return _standing(seen) if pin and pin.from_revision == entry.revision else None
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
