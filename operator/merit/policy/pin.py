"""`spec.rollback`, the operator's own field: it says what is rejected; the ledger decides."""

from __future__ import annotations

from merit.api.status import Rejection, Status
from merit.policy.decision import ClearPin, Decision, Note, WritePin
from merit.policy.observed import Observed
from merit.policy.remember import LEDGER_SIZE, decided, dropped, rejection
from merit.policy.times import stamp


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
    entry = Rejection(
        revision=pin.from_revision,
        stage=pin.from_stage,
        policy=pin.from_policy,
        reason=pin.reason,
        at=pin.at or stamp(now),
        evidence=pin.message,
    )
    status = seen.status.model_copy(
        update={"rejected": (entry, *seen.status.rejected)[:LEDGER_SIZE]}
    )
    if status.candidate is not None and status.candidate.revision == identity.revision:
        status = dropped(status, now)
    status = decided(status, f"{identity.short} stays rejected", "spec.rollback says so", now)
    note = Note("Restored", "the ledger was rebuilt from spec.rollback", warning=True)
    return Decision(status, notes=(note,), decisive_status=True, urgent=True)


def pin_action(seen: Observed, status: Status) -> WritePin | ClearPin | None:
    """The write that brings the pin in line with the ledger, if one is due and not a fight."""
    if seen.pin_is_foreign or seen.identity is None:
        return None
    entry = rejection(status, seen.identity)
    wanted = _pin(entry, status) if entry else None
    if wanted is not None:
        now = seen.pin.model_dump(by_alias=True) if seen.pin else None
        return None if now == wanted and seen.pin_is_ours else WritePin(wanted)
    if seen.pin is not None and seen.pin_is_ours:
        return ClearPin()
    return None


def _pin(entry: Rejection, status: Status) -> dict[str, str] | None:
    """No pin for a gate's no: that content never had traffic."""
    if entry.stage != "Rollout" or status.stable is None:
        return None
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
