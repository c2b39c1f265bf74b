"""What forbids to raise a weight, whatever the evidence says."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace

from merit.api.defaults import effective
from merit.api.names import GROUP
from merit.api.status import Candidate
from merit.policy.signals.gauge_signals import veto
from merit.policy.state.capacity import pods_needed
from merit.policy.state.context import RolloutContext, achievable_weight
from merit.policy.state.observed import Accepted, Observed
from merit.policy.state.route_kind import by_pods
from merit.policy.state.times import age
from merit.policy.state.verdict import Verdict
from merit.stats.ladder import ENOUGH_RPS, first_step, ladder, margin
from merit.stats.sentences import duration

DWELL = 30.0  # seconds at every weight, whatever the evidence
REQUESTS = 3.4  # a near-perfect candidate needs so many, times phi, over the margin
PHI = 3.0  # the dispersion that is assumed where none was measured


def may_not_rise(context: RolloutContext, now: float) -> Verdict | None:
    """The first thing that forbids the next step; None if only proof is needed."""
    seen, candidate = context.seen, context.candidate
    stopped = halted(seen)
    if stopped is not None:
        return replace(stopped, message=f"{stopped.message}; safety still acts")
    waiting = route_lags(context)
    if waiting is not None:
        return waiting
    if age(candidate.since, now) < DWELL:
        return Verdict("Undecided", "Dwell", f"at least {DWELL:.0f}s at every step")
    if age(candidate.rollout_since, now) < seen.tuning.constants.warmup:
        return Verdict("Undecided", "WarmingUp", "latency counts after the warm-up")
    entering = context.weight_at(context.next_step)
    forbidden = _too_few_pods(context, entering) or veto(seen, context.accepted.spec)
    if forbidden is not None:
        return forbidden
    last = context.next_step == len(context.ladder) - 1
    if last and age(candidate.rollout_since, now) < context.settings.min_duration:
        return Verdict("Undecided", "Dwell", "minDuration is not over")
    return None


def halted(seen: Observed) -> Verdict | None:
    """A person has paused it, or a defect of the operator's own ended the last pass."""
    if seen.failed:
        return Verdict("Undecided", "InternalError", f"a pass has failed with {seen.failed}")
    return Verdict("Undecided", "Paused", "spec.paused holds it") if seen.paused else None


def route_lags(context: RolloutContext) -> Verdict | None:
    """The gateway does not yet have the weight of the candidate's step."""
    traffic, candidate = context.seen.traffic, context.candidate
    route = traffic.route
    if traffic.refused:
        why = f"the route cannot be written: {traffic.refused}"
        return Verdict("Undecided", "RouteNotAccepted", why)
    if not route.in_sync or route.accepted is not True:
        why = route.reason or "waiting for the route"
        return Verdict("Undecided", "RouteNotAccepted", why)
    share = route.weights.get(candidate.short, 0)
    if share == 0 or (share != candidate.weight and not by_pods(context.seen)):
        return Verdict("Undecided", "RouteNotAccepted", "waiting for the route")
    return None


def _too_few_pods(context: RolloutContext, weight: int) -> Verdict | None:
    """The candidate cannot carry that share yet."""
    needed = pods_needed(context, weight)
    if context.pods.ready >= needed:
        return None
    why = f"{context.pods.ready} of {needed} pods ready, before {weight}% is entered"
    if context.pods.blocked:
        return Verdict("NoData", context.pods.blocked_by, f"{why}: {context.pods.blocked}")
    return Verdict("Undecided", "WaitingForPods", why)


def needs_approval(context: RolloutContext, weight: int) -> Verdict | None:
    """A person has not approved this weight yet."""
    candidate, name = context.candidate, context.seen.name
    missing = [
        approval
        for approval in _approvals(context.accepted)
        if candidate.approved < approval and achievable_weight(context, approval) <= weight
    ]
    if not missing:
        return None
    how = f"kubectl merit approve {name}, or annotate {GROUP}/approve={candidate.short}"
    why = f"{max(missing)}% waits for a person: {how}"
    return Verdict("Undecided", "AwaitingApproval", why)


def next_approval(accepted: Accepted, candidate: Candidate) -> int | None:
    """The weight that an approval given now covers: of the next step, or of a later one."""
    settings = effective(accepted.spec)
    weights = ladder(settings.steps, settings.holdback_weight)
    first = first_step(weights, settings.rps, settings.explicit_steps)
    step = bisect_right(weights, candidate.weight) or first
    entering = weights[min(step, len(weights) - 1)]
    missing = [approval for approval in _approvals(accepted) if approval > candidate.approved]
    due = [approval for approval in missing if approval <= entering]
    return max(due) if due else min(missing, default=None)


def _approvals(accepted: Accepted) -> list[int]:
    """The declared approvals; one above the last step is needed for that step."""
    settings = effective(accepted.spec)
    last = 100 - settings.holdback_weight
    return sorted({min(weight, last) for weight in settings.approvals})


def slow_step(context: RolloutContext, index: int) -> str:
    """A forecast for a step of less than half a request per second; empty for any other."""
    settings, weight = context.settings, context.ladder[index]
    rps = settings.rps or float(context.candidate.load or 0.0)
    share = rps * weight / 100
    if not rps or share >= ENOUGH_RPS or index + 1 >= len(context.ladder):
        return ""
    excess = margin(context.ladder, index + 1, blast_radius=settings.blast_radius, rps=rps)
    phi = max(context.seen.measurements.dispersion.values(), default=PHI)
    about = duration(REQUESTS * phi / excess / share)
    return f"; {weight}% of {rps:g}/s is {share:.2g} requests/s: about {about} for this step"
