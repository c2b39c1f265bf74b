"""An object that has lost its status: what serves and what is rejected stay so."""

from __future__ import annotations

from merit.api.status import Promotion, Status
from merit.policy.decision import Decision, Note
from merit.policy.observed import Observed
from merit.policy.remember import decided, predecessor, serving
from merit.policy.standing.converge import worth_keeping
from merit.policy.times import stamp


def restore(seen: Observed, now: float) -> Decision | None:
    """From the ledger that outlived the object; without one, from the route that still stands.

    Otherwise the next version would be a first deployment: all traffic at once.
    """
    if seen.seen_before:
        return None
    status, source = _from_ledger(seen), "the ledger that outlived the object"
    if status is None:
        status, source = _from_route(seen, now), "the route that still serves"
    if status is None:
        return None
    note = Note("Restored", f"status was rebuilt from {source}", warning=True)
    status = decided(status, "restored", f"from {source}", now)
    return Decision(status, notes=(note,), decisive_status=True)


def _from_ledger(seen: Observed) -> Status | None:
    if seen.ledger is None:
        return None
    old = seen.ledger.status
    if not worth_keeping(old):
        return None
    return Status(
        rejected=old.rejected,
        promoted=old.promoted,
        last_handled=old.last_handled,
        handled=old.handled,
        decisions=old.decisions,
        stable=predecessor(old, seen.accepted),
    )


def _from_route(seen: Observed, now: float) -> Status | None:
    """A ledger is written right after the first promotion: before it, one revision has it all."""
    if seen.route.foreign or len(seen.route.weights) != 1:
        return None
    (short,) = seen.route.weights
    accepted = next((a for a in seen.accepted.values() if a.identity.short == short), None)
    if accepted is None:
        return None
    entry = Promotion(
        revision=accepted.identity.revision,
        short=short,
        policy=accepted.identity.policy,
        version=accepted.spec.model.version,
        at=stamp(now),
    )
    return Status(stable=serving(entry), promoted=(entry,))
