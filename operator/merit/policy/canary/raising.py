"""What forbids a step up, whatever the evidence says."""

from __future__ import annotations

from merit.api.defaults import effective
from merit.api.names import GROUP
from merit.api.spec import Spec
from merit.api.status import Candidate
from merit.evidence.ladder import first_step, ladder
from merit.policy.canary.capacity import pods_needed
from merit.policy.canary.case import Case, made
from merit.policy.canary.uncounted import veto
from merit.policy.observed import Accepted, Observed
from merit.policy.standing.routes import by_pods
from merit.policy.times import age
from merit.policy.verdict import Verdict

DWELL = 30.0  # seconds at every weight, whatever the evidence


def paused(seen: Observed) -> bool:
    """`spec.paused` holds every step forward."""
    return isinstance(seen.spec, Spec) and seen.spec.paused


def may_not_rise(case: Case, now: float) -> Verdict | None:
    """What forbids a step up whatever the evidence says."""
    seen, candidate = case.seen, case.candidate
    if paused(seen):
        return Verdict("Undecided", "Paused", "spec.paused holds it; safety still acts")
    lags = route_lags(case)
    if lags is not None:
        return lags
    if age(candidate.since, now) < DWELL:
        return Verdict("Undecided", "Dwell", f"at least {DWELL:.0f}s at every step")
    if age(candidate.rollout_since, now) < case.seen.tuning.constants.warmup:
        return Verdict("Undecided", "WarmingUp", "latency counts after the warm-up")
    entering = case.ladder[min(candidate.step, len(case.ladder) - 1)]
    lacking = too_few_pods(case, entering)
    if lacking is not None:
        return lacking
    vetoed = veto(seen, case.accepted.spec)
    if vetoed is not None:
        return vetoed
    last = candidate.step == len(case.ladder) - 1
    if last and age(candidate.rollout_since, now) < case.known.min_duration:
        return Verdict("Undecided", "Dwell", "minDuration is not over")
    return None


def route_lags(case: Case) -> Verdict | None:
    """The gateway does not do yet what the candidate's step says."""
    route, candidate = case.seen.route, case.candidate
    if case.seen.traffic_refused:
        why = f"the route cannot be written: {case.seen.traffic_refused}"
        return Verdict("Undecided", "RouteNotAccepted", why)
    if not route.in_sync or route.accepted is not True:
        why = route.reason or "waiting for the route"
        return Verdict("Undecided", "RouteNotAccepted", why)
    share = route.weights.get(candidate.short, 0)
    if share == 0 or (share != candidate.weight and not by_pods(case.seen)):
        return Verdict("Undecided", "RouteNotAccepted", "waiting for the route")
    return None


def too_few_pods(case: Case, weight: int) -> Verdict | None:
    """The candidate cannot carry that share yet."""
    needed = pods_needed(case, weight)
    if case.arm.ready >= needed:
        return None
    why = f"{case.arm.ready} of {needed} pods ready, before {weight}% is entered"
    if case.arm.blocked:
        return Verdict("NoData", case.arm.blocked_by, f"{why}: {case.arm.blocked}")
    return Verdict("Undecided", "WaitingForPods", why)


def unapproved(case: Case, weight: int) -> Verdict | None:
    """A person has not said yes to this weight yet."""
    approved = case.candidate.approved
    asked = [a for a in _approvals(case.accepted) if approved < a and made(case, a) <= weight]
    if not asked:
        return None
    short = case.candidate.short
    return Verdict(
        "Undecided",
        "AwaitingApproval",
        f"{max(asked)}% waits for a person: kubectl merit approve {case.seen.name}, or annotate "
        f"{GROUP}/approve={short}",
    )


def next_approval(accepted: Accepted, candidate: Candidate) -> int | None:
    """The weight that a yes given now covers: of the step to be entered next, or a later one."""
    known = effective(accepted.spec)
    rungs = ladder(known.steps, known.holdback_weight)
    step = candidate.step or first_step(rungs, known.rps, known.explicit_steps)
    entering = rungs[min(step, len(rungs) - 1)]
    asked = [a for a in _approvals(accepted) if a > candidate.approved]
    due = [a for a in asked if a <= entering]
    return max(due) if due else min(asked, default=None)


def _approvals(accepted: Accepted) -> list[int]:
    """The declared approvals; one above the ladder's end is asked for before that end."""
    known = effective(accepted.spec)
    last = 100 - known.holdback_weight
    return sorted({min(weight, last) for weight in known.approvals})
