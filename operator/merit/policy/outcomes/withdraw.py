"""The end of an exposure without a verdict on the model: weight 0, and nothing is rejected."""

from __future__ import annotations

from dataclasses import replace

from merit.policy.outcomes.roll_back import measured
from merit.policy.state.context import RolloutContext
from merit.policy.state.decision import Decision, Note, all_to, decisive
from merit.policy.state.times import stamp
from merit.policy.state.transitions import with_stage
from merit.policy.state.verdict import Verdict


def withdraw(
    context: RolloutContext, verdict: Verdict, now: float, *, excused: str = ""
) -> Decision:
    """Weight 0 without rejecting; the rollout starts again when the cause is gone.

    `excused`: until when it is not tried again, because an incident of the fleet is to blame.
    """
    old = context.candidate
    update = {"stage": "Withdrawn", "weight": 0, "step": 0, "since": stamp(now)}
    kept = {"excused": excused or old.excused, "measured": measured(context, verdict, now)}
    candidate = old.model_copy(update=update | kept)
    status = context.status.model_copy(update={"candidate": candidate, "analysis": None})
    at = f"it was at {old.weight}%, step {context.steps_taken} of {len(context.ladder)}"
    verdict = replace(verdict, message=f"{verdict.message}; {at}")
    status = with_stage(status, "Rollout", verdict, now)
    what = f"{old.short} {old.weight}% -> 0%, not rejected"
    note = Note("Withdrawn", f"{what}: {verdict.message}", warning=True)
    back = all_to(context.status.stable)
    return decisive(status, what, verdict.message, now, note, fallback=back, urgent=True)
