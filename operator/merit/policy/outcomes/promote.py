"""The good end of a rollout: the candidate becomes the stable revision."""

from __future__ import annotations

from merit.policy.state.context import RolloutContext
from merit.policy.state.decision import Decision, Note, decisive
from merit.policy.state.transitions import with_promotion, with_stage
from merit.policy.state.verdict import Verdict


def promote(context: RolloutContext, why: str, now: float) -> Decision:
    """The candidate is stable from now on; traffic follows from that."""
    old = context.candidate
    status = with_stage(context.status, "Rollout", Verdict("Good", "Promoted", why), now)
    status = with_promotion(status, old, context.settings.keep_warm, now)
    if not status.route:
        status = status.model_copy(update={"route": context.accepted.spec.rollout.route.kind})
    note = Note("Promoted", f"version {old.version}: {why}")
    return decisive(status, f"{old.short} promoted", why, now, note)
