"""When, where and on what evidence a withdrawn candidate starts again."""

from __future__ import annotations

from dataclasses import replace

from merit.api.status import Candidate, Status
from merit.policy.outcomes.incident import blame_pending
from merit.policy.state.capacity import pods_wanted
from merit.policy.state.context import RolloutContext, rollout_context
from merit.policy.state.decision import Decision
from merit.policy.state.observed import Observed
from merit.policy.state.route_kind import by_pods
from merit.policy.state.times import age, seconds, stamp
from merit.policy.state.transitions import DRAIN, with_decision
from merit.stats.counts import Sample
from merit.stats.ladder import first_step


def resume(context: RolloutContext, now: float) -> Decision:
    """A withdrawn rollout starts again at its first step once its cause is gone."""
    waiting = Decision(context.status, requeue_after=context.seen.tuning.tick)
    excused = context.candidate.excused
    if blame_pending(context.status) or now < seconds(excused):
        return waiting
    if is_withdrawn_for_good(context.status) or context.pods.ready < _pods_needed(context):
        return waiting
    if not isinstance(context.seen.measurements.sample, Sample) or not _has_left(context, now):
        return waiting
    status = started_again(context.status, context.candidate, "the cause is gone", now)
    return Decision(status, decisive_status=True)


def started_again(status: Status, candidate: Candidate, why: str, now: float) -> Status:
    """A withdrawn candidate before its first step, without any evidence."""
    start = {"stage": "Rollout", "weight": 0, "step": 0, "since": stamp(now), "rollout_since": ""}
    anew = candidate.model_copy(update=start | {"measured": ()})
    status = status.model_copy(update={"candidate": anew, "analysis": None})
    return with_decision(status, f"{candidate.short} starts again", why, now)


def is_withdrawn_for_good(status: Status) -> bool:
    """It ran out of time, not of pods or metrics: only people bring it back."""
    rollout = status.stage("Rollout")
    return rollout is not None and rollout.reason == "Inconclusive"


def resume_condition(seen: Observed, status: Status) -> str:
    """What a withdrawn candidate waits for, as one sentence."""
    if is_withdrawn_for_good(status):
        return f"nothing until new content, new bars, or kubectl merit retry {seen.name}"
    if blame_pending(status):
        return "reject it, unless many others have turned bad with it"
    context = rollout_context(replace(seen, status=status))
    if context is None:
        return "start again when the cause is gone"
    step = first_step(context.ladder, context.settings.rps, context.settings.explicit_steps)
    lacking = f" (now: {context.pods.blocked})" if context.pods.blocked else ""
    excused = context.candidate.excused
    after = f"after {excused}, " if excused else ""
    return (
        f"{after}start again at {context.ladder[step]}%, with no evidence carried over, when "
        f"{_pods_needed(context)} of its pods are ready{lacking}, metrics are fresh and the route "
        "stands"
    )


def _pods_needed(context: RolloutContext) -> int:
    return min(context.settings.replicas_min, pods_wanted(context))


def _has_left(context: RolloutContext, now: float) -> bool:
    """All traffic is at the stable revision; by pod count, open connections have ended, too."""
    stable, traffic = context.status.stable, context.seen.traffic
    if stable is None or dict(traffic.route.weights) != {stable.short: 100}:
        return False
    if traffic.route.accepted is not True or traffic.refused:
        return False
    return not by_pods(context.seen) or age(context.candidate.since, now) >= DRAIN
