"""What Kubernetes reports against a candidate's pods: it counts only beyond stable's own rate."""

from __future__ import annotations

from merit.policy.outcomes.roll_back import roll_back
from merit.policy.outcomes.withdraw import withdraw
from merit.policy.state.context import RolloutContext, rollout_context
from merit.policy.state.decision import Decision
from merit.policy.state.observed import Observed, RevisionPods
from merit.policy.state.verdict import Verdict

SEVERAL = 3  # failed pods, where a revision has many
PART = 0.25  # share of the pods that failed, where several did
BEYOND = 2.0  # times stable's own share
SIGNAL = "pods"


def candidate_is_down(seen: Observed, now: float) -> Decision | None:
    """No pod of an exposed candidate is ready: weight 0 at once, whatever the cause.

    It is rejected if the fault is its own; with `automatic: false` only a person rejects it.
    """
    context = rollout_context(seen)
    if context is None or context.candidate.weight == 0 or context.pods.ready > 0:
        return None
    bad = fault(context)
    if bad is None:
        pods = context.pods
        why = pods.blocked or pods.detail or "they are gone, and the model is not to blame"
        verdict = Verdict("NoData", "PodsGone", f"no pod is ready: {why}", SIGNAL)
        return withdraw(context, verdict, now)
    why = f"no pod is up: {bad.message}"
    if context.accepted.spec.rollback_policy.automatic:
        return roll_back(context, Verdict("Bad", "PodsDown", why, SIGNAL), now)
    return withdraw(context, Verdict("NoData", "PodsDown", why, SIGNAL), now)


def pods_fail(seen: Observed, now: float) -> Decision | None:
    """Pods of an exposed candidate end by their own fault, clearly more of them than stable's."""
    context = rollout_context(seen)
    if context is None or context.candidate.weight == 0:
        return None
    bad = fault(context)
    if bad is None or not context.accepted.spec.rollback_policy.automatic:
        return None
    return roll_back(context, bad, now)


def fault(context: RolloutContext) -> Verdict | None:
    """Bad if its pods end by their own fault, clearly more of them than stable's.

    One pod out of memory among eight proves nothing: several must fail, or more than half of a few,
    and again and again. What the platform lacks is never counted: see `RevisionPods.blocked`.
    """
    mine, theirs = context.pods, _stable(context)
    if not mine.crashed:
        return None
    share = _failed_share(mine)
    several = mine.crashed >= SEVERAL and share >= PART
    most = share > 0.5 and mine.restarts >= 2
    if not (several or most) or share <= BEYOND * _failed_share(theirs):
        return None
    detail = mine.detail or "they ended by themselves"
    why = f"{mine.crashed} of {max(mine.desired, mine.crashed)} pods of {mine.short}: {detail}"
    if theirs.desired:
        why += f" (stable: {theirs.crashed} of {theirs.desired})"
    return Verdict("Bad", "CrashLoop", why, SIGNAL)


def never_ready(context: RolloutContext) -> Verdict | None:
    """Bad if not one pod became ready in time, and only the revision is to blame for it."""
    pods = context.pods
    if pods.ready or pods.blocked:
        return None
    if pods.deadline_exceeded and (not context.status.stable or _stable(context).ready):
        return Verdict("Bad", "NeverReady", pods.detail or "its pods never became ready", SIGNAL)
    return fault(context)


def _stable(context: RolloutContext) -> RevisionPods:
    stable = context.status.stable
    return context.seen.pods_of(stable.short) if stable else RevisionPods("")


def _failed_share(pods: RevisionPods) -> float:
    return pods.crashed / max(pods.desired, pods.crashed, 1)
