"""What forbids a step up, whatever the evidence says."""

from __future__ import annotations

import math

from merit.api.spec import Spec
from merit.policy.case import Case
from merit.policy.times import age
from merit.policy.verdict import Verdict

DWELL = 30.0  # seconds at every weight, whatever the evidence


def may_not_rise(case: Case, now: float) -> Verdict | None:
    """What forbids a step up whatever the evidence says."""
    seen, candidate = case.seen, case.candidate
    if isinstance(seen.spec, Spec) and seen.spec.paused:
        return Verdict("Undecided", "Paused", "spec.paused holds it; safety still acts")
    if not seen.route.in_sync or seen.route.accepted is not True:
        return Verdict(
            "Undecided", "RouteNotAccepted", seen.route.reason or "waiting for the route"
        )
    if candidate.short not in seen.route.weights:
        return Verdict("Undecided", "RouteNotAccepted", "waiting for the route")
    if age(candidate.since, now) < DWELL:
        return Verdict("Undecided", "Dwell", f"at least {DWELL:.0f}s at every step")
    if age(candidate.rollout_since, now) < case.seen.tuning.constants.warmup:
        return Verdict("Undecided", "WarmingUp", "latency counts after the warm-up")
    entering = case.ladder[min(candidate.step, len(case.ladder) - 1)]
    needed = min(case.known.replicas_min, math.ceil(case.known.replicas_min * entering * 1.2 / 100))
    if case.arm.ready < needed:
        return Verdict("Undecided", "WaitingForPods", f"{case.arm.ready} of {needed} pods ready")
    last = candidate.step == len(case.ladder) - 1
    if last and age(candidate.rollout_since, now) < case.known.min_duration:
        return Verdict("Undecided", "Dwell", "minDuration is not over")
    return None
