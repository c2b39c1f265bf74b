"""The canary: evidence moves traffic up, and takes it back. Only Good raises a weight."""

from __future__ import annotations

from dataclasses import replace

from merit.evidence.analysis import Analysis
from merit.evidence.counts import NoSample, Sample
from merit.evidence.ladder import first_step
from merit.policy.canary.capacity import load_now, pods_wanted
from merit.policy.canary.case import Case, analysis_of, case_of, floor_of
from merit.policy.canary.faults import fault, never_ready
from merit.policy.canary.inconclusive import hold, inconclusive, no_data, not_accepted, resume
from merit.policy.canary.judging import remembering
from merit.policy.canary.measured import stand
from merit.policy.canary.outcome import promote, roll_back
from merit.policy.canary.pace import slow_step
from merit.policy.canary.raising import may_not_rise, paused, route_lags, unapproved
from merit.policy.canary.uncounted import veto
from merit.policy.decision import Decision, Note
from merit.policy.observed import Observed
from merit.policy.remember import decided, told
from merit.policy.standing.routes import by_pods
from merit.policy.times import age, stamp
from merit.policy.verdict import Verdict

NO_TRAFFIC = 120.0  # seconds without a request that are no evidence, and worth saying


def roll_out(seen: Observed, now: float) -> Decision | None:
    """Bring the candidate up, then let it earn each step."""
    case = case_of(seen)
    if case is None:
        return None
    if case.candidate.stage == "Withdrawn":
        return resume(case, now)
    if case.candidate.weight == 0:
        return _enter(case, now)
    return _advance(case, now)


def _enter(case: Case, now: float) -> Decision:
    """From no traffic to the first step, or, with nothing to compare with, to all of it."""
    arm, seen = case.arm, case.seen
    bad = never_ready(case)
    if bad is not None:
        return roll_back(case, Verdict("Bad", "NeverReady", bad.message), now)
    if seen.status.stable is not None and len(case.ladder) < 2 and by_pods(seen):
        why = "no step is as large as one pod's share: raise constraints.scale.replicas.min"
        return hold(case, Verdict("Undecided", "StepTooSmall", why), now)
    wanted = pods_wanted(case)
    if not arm.in_sync or arm.ready < wanted:
        if arm.blocked:
            return hold(case, Verdict("NoData", arm.blocked_by, arm.blocked), now)
        why = f"{arm.ready} of {wanted} pods ready"
        if arm.deadline_exceeded:
            return hold(case, Verdict("Undecided", "NeverReady", f"{why}: {arm.detail}"), now)
        return hold(case, Verdict("Undecided", "WaitingForPods", why), now)
    if paused(seen):
        return hold(case, Verdict("Undecided", "Paused", "spec.paused holds it"), now)
    if seen.status.stable is None:
        return promote(case, "first deployment: nothing to compare with", now)
    if isinstance(seen.sample, NoSample) or seen.sample is None:
        return no_data(case, seen.sample, now)
    if seen.measuring:
        why = "how bursty stable's errors are is being read"
        return hold(case, Verdict("Undecided", "Measuring", why), now)
    step = first_step(case.ladder, case.known.rps, case.known.explicit_steps)
    waits = unapproved(case, case.ladder[step])
    if waits is not None:
        return hold(case, waits, now)
    analysis = analysis_of(replace(case, seen=remembering(seen, None)))
    analysis.observe(
        Sample(at=seen.sample.at, since=None, signals={}), weight_changed=False, warming=True
    )
    return enter_step(case, analysis, step, f"its pods are ready{slow_step(case, step)}", now)


def _advance(case: Case, now: float) -> Decision:
    """At a step: advance on proof, promote after the holdback, else hold and say why."""
    seen, candidate = case.seen, case.candidate
    failing = fault(case)
    if failing is not None:  # and only a person takes it back: see `pods_fail`
        return stand(case, failing, now)
    if isinstance(seen.sample, NoSample) or seen.sample is None:
        return no_data(case, seen.sample, now)
    analysis = seen.evidence
    if analysis is None:
        return Decision(case.status, again=seen.tuning.tick)
    case = replace(case, seen=remembering(seen, analysis))
    if candidate.stage == "Holdback":
        return _hold_back(case, now)
    blocked = may_not_rise(case, now)
    if blocked is not None and blocked.reason == "RouteNotAccepted":
        return not_accepted(case, blocked, now)
    if blocked is not None:
        return hold(case, blocked, now)
    if analysis.quiet >= NO_TRAFFIC:
        quiet = f"no request reached {candidate.short} for {analysis.quiet:.0f}s"
        return inconclusive(case, Verdict("NoData", "NoTraffic", quiet), now)
    if analysis.looks < 2:
        return hold(case, Verdict("Undecided", "Dwell", "at least two looks at every step"), now)
    proven = analysis.proven(candidate.step)
    if not proven.good:
        return inconclusive(case, Verdict("Undecided", proven.reason, proven.message), now)
    waits = unapproved(case, case.ladder[candidate.step])
    if waits is not None:
        return hold(case, replace(waits, message=f"{waits.message}; {proven.message}"), now)
    why = f"{proven.message}{slow_step(case, candidate.step)}"
    return enter_step(case, analysis, candidate.step, why, now)


def enter_step(case: Case, analysis: Analysis, index: int, why: str, now: float) -> Decision:
    """Enter the ladder's entry `index`: the intent and the evidence in one write."""
    weight, old = case.ladder[index], case.candidate.weight
    last = index == len(case.ladder) - 1
    at = stamp(now)
    candidate = case.candidate.model_copy(
        update={
            "weight": weight,
            "step": index + 1,
            "since": at,
            "rollout_since": case.candidate.rollout_since or at,
            "load": case.candidate.load if old else load_now(case.seen),
            "floor": case.candidate.floor if old else floor_of(case.seen),
            "stage": "Holdback" if last else "Rollout",
        }
    )
    status = case.status.model_copy(
        update={"candidate": candidate, "analysis": analysis.to_status()}
    )
    sampling = Verdict("Undecided", "Holdback" if last else "Sampling", why)
    status = decided(told(status, "Rollout", sampling, now), f"{old}% -> {weight}%", why, now)
    reason = "Holdback" if last else "WeightRaised"
    return Decision(
        status,
        notes=(Note(reason, f"version {candidate.version} {old}% -> {weight}%: {why}"),),
        decisive_status=True,
    )


def _hold_back(case: Case, now: float) -> Decision:
    left = case.known.holdback_duration - age(case.candidate.since, now)
    if paused(case.seen):
        return hold(case, Verdict("Undecided", "Paused", "spec.paused holds it"), now)
    if left > 0:
        weight = 100 - case.candidate.weight
        why = f"{weight}% stays on the old revision, as a control group"
        return hold(case, Verdict("Undecided", "Holdback", why), now)
    forbidden = route_lags(case) or veto(case.seen, case.accepted.spec)
    if forbidden is not None:
        return hold(case, forbidden, now)
    return promote(case, "held through the holdback", now)
