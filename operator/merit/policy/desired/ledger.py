"""The ledger, a ConfigMap that outlives the object, and the status that is restored from it."""

from __future__ import annotations

import json

from merit.api.status import Promotion, Status
from merit.policy.state.decision import Decision, Note, decisive, dropped
from merit.policy.state.observed import Observed
from merit.policy.state.times import stamp
from merit.policy.state.transitions import predecessor, revision_of


def restore(seen: Observed, now: float) -> Decision | None:
    """Status was lost: it is restored from the ledger, or else from the route that still serves.

    Otherwise the next version would be a first deployment, with all traffic at once.
    """
    if seen.seen_before:
        return None
    serving = _from_route(seen, now)
    status, source = _from_ledger(seen, serving), "the ledger that outlived the object"
    if status is None and serving is not None:
        status = Status(stable=revision_of(serving), promoted=(serving,))
        source = "the route that still serves"
    if status is None:
        return None
    note = Note("Restored", f"status was rebuilt from {source}", warning=True)
    return decisive(status, "restored", f"from {source}", now, note)


def drop_unreadable(seen: Observed, now: float) -> Decision | None:
    """Evidence in status has a shape that this version does not know: it begins anew."""
    if not seen.unread:
        return None
    return dropped(seen.status, seen.unread, "another version wrote it, or somebody else", now)


def _from_ledger(seen: Observed, serving: Promotion | None) -> Status | None:
    """`serving`: what the route says; it counts where the ledger lags behind and names nothing."""
    if seen.recorded.ledger is None:
        return None
    old = seen.recorded.ledger.status
    if not worth_keeping(old):
        return None
    if serving is not None and predecessor(old, seen.recorded.accepted) is None:
        old = old.model_copy(update={"promoted": (*old.promoted, serving)})
    return Status(
        rejected=old.rejected,
        promoted=old.promoted,
        last_handled=old.last_handled,
        handled=old.handled,
        decisions=old.decisions,
        stable=predecessor(old, seen.recorded.accepted),
    )


def _from_route(seen: Observed, now: float) -> Promotion | None:
    """What serves by the route that stands, which is all that is known to have been promoted.

    In a canary a gateway's route names it. A Service for the pods of both does not: there it is
    the one that is not declared, as that is what was being tried; else the one with most traffic.
    """
    route, declared = seen.traffic.route, seen.declared.identity
    if not route.weights:
        return None
    tried = declared.short if declared is not None else ""
    short = max(route.weights, key=lambda s: (s == route.serves, s != tried, route.weights[s]))
    accepted = next((a for a in seen.recorded.accepted.values() if a.identity.short == short), None)
    if accepted is None:
        return None
    return Promotion(
        revision=accepted.identity.revision,
        short=short,
        policy=accepted.identity.policy,
        version=accepted.spec.model.version,
        at=stamp(now),
    )


def ledger_content(status: Status) -> dict[str, str]:
    """What outlives the object: rejections, promotions, handled tokens, the last decisions."""
    dumped = status.model_dump(by_alias=True, mode="json")
    parts = ("rejected", "promoted", "lastHandled", "handled", "decisions")
    return {part: json.dumps(dumped[part], sort_keys=True) for part in parts}


def worth_keeping(status: Status) -> bool:
    """Whether there is anything yet that must outlive the object."""
    return bool(status.rejected or status.promoted or status.last_handled)
