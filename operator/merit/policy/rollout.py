"""The canary: evidence moves traffic up, and takes it back. Only Good raises a weight."""

from __future__ import annotations

import math
from dataclasses import replace

from merit.api.spec import Spec
from merit.api.status import Status
from merit.evidence.analysis import Analysis
from merit.evidence.counts import NoSample, Sample
from merit.evidence.ladder import first_step
from merit.policy.case import Case, analysis_of, case_of
from merit.policy.decision import Decision, Note
from merit.policy.observed import Arm, Observed
from merit.policy.outcome import promote, roll_back, withdraw
from merit.policy.remember import decided, told
from merit.policy.responses import effects
from merit.policy.times import age, seconds, stamp
from merit.policy.verdict import Verdict

DWELL = 30.0  # seconds at every weight, whatever the evidence
NO_TRAFFIC = 120.0  # seconds without a request that are no evidence, and worth saying


def candidate_is_down(seen: Observed, now: float) -> Decision | None:
    """All pods of an exposed candidate are down: weight 0 at once, in every case."""
    case = case_of(seen)
    if case is None or case.candidate.weight == 0 or case.arm.ready > 0:
        return None
    stable = seen.status.stable
    stable_down = seen.arms.get(stable.short, Arm(stable.short)).down if stable else 0
    if case.arm.down > 0 and stable_down == 0:
        detail = case.arm.detail or "crash loop"
        verdict = Verdict("Bad", "PodsDown", f"no pod of {case.candidate.short} is up: {detail}")
        return roll_back(case, verdict, now)
    why = case.arm.blocked or "its pods are gone, and the model is not to blame"
    return withdraw(case, Verdict("NoData", "PodsGone", f"no pod is ready: {why}"), now)


def judge_evidence(seen: Observed, now: float) -> Decision | None:
    """The exposed candidate under its evidence: Bad takes the traffic back before all else."""
    case = case_of(seen)
    if case is None or case.candidate.weight == 0 or not isinstance(seen.sample, Sample):
        return None
    analysis = analysis_of(case)
    if not _consume(case, analysis, now):
        return None
    worse = analysis.worse()
    if not worse.bad:
        return None
    signal = "latency" if worse.reason.startswith("Latency") else "errors"
    verdict = Verdict("Bad", worse.reason, worse.message)
    if effects(case.accepted.spec, signal, "candidate").takes_back:
        return roll_back(case, verdict, now)
    held = case.status.model_copy(update={"analysis": analysis.to_status()})
    return Decision(
        told(held, "Rollout", verdict, now),
        notes=() if _told_bad(case.status) else (Note(worse.reason, worse.message, True),),
        again=seen.tuning.tick,
    )


def _told_bad(status: Status) -> bool:
    return any(s.stage == "Rollout" and s.verdict == "Bad" for s in status.flow)


def _consume(case: Case, analysis: Analysis, now: float) -> bool:
    """Turn the newest sample into evidence; False if it holds nothing new."""
    sample = case.seen.sample
    if not isinstance(sample, Sample):
        return False
    last = analysis.consumed_until
    if last is not None and sample.at <= last:
        return False  # a first look after a long gap is new: it sets the baseline anew
    warmup = case.seen.tuning.constants.warmup
    analysis.observe(
        sample,
        weight_changed=last is not None and seconds(case.candidate.since) >= last,
        warming=age(case.candidate.rollout_since, now) < warmup,
    )
    return True


def roll_out(seen: Observed, now: float) -> Decision | None:
    """Bring the candidate up, then let it earn each step."""
    case = case_of(seen)
    if case is None:
        return None
    if case.candidate.stage == "Withdrawn":
        return _resume(case, now)
    if case.candidate.weight == 0:
        return _enter(case, now)
    return _advance(case, now)


def _enter(case: Case, now: float) -> Decision:
    """From no traffic to the first step, or, with nothing to compare with, to all of it."""
    arm, seen = case.arm, case.seen
    if arm.ready < 1 and (arm.deadline_exceeded or arm.down > 0) and not arm.blocked:
        detail = arm.detail or "its pods never became ready"
        return roll_back(case, Verdict("Bad", "NeverReady", detail), now)
    if not arm.in_sync or arm.ready < min(case.known.replicas_min, max(1, arm.desired)):
        why = arm.blocked or f"{arm.ready} of {case.known.replicas_min} pods ready"
        return _hold(case, Verdict("Undecided", "WaitingForPods", why), now)
    if case.accepted.spec.paused or (isinstance(seen.spec, Spec) and seen.spec.paused):
        return _hold(case, Verdict("Undecided", "Paused", "spec.paused holds it"), now)
    if seen.status.stable is None:
        return promote(case, "first deployment: nothing to compare with", now)
    if isinstance(seen.sample, NoSample) or seen.sample is None:
        return _no_data(case, seen.sample, now)
    step = first_step(case.ladder, case.known.rps, case.known.explicit_steps)
    analysis = analysis_of(replace(case, seen=_remembering(seen, None)))
    analysis.observe(
        Sample(at=seen.sample.at, since=None, signals={}), weight_changed=False, warming=True
    )
    return _step(case, analysis, step, "its pods are ready", now)


def _advance(case: Case, now: float) -> Decision:
    """At a step: advance on proof, promote after the holdback, else hold and say why."""
    seen, candidate = case.seen, case.candidate
    if isinstance(seen.sample, NoSample) or seen.sample is None:
        return _no_data(case, seen.sample, now)
    analysis = analysis_of(case)
    fresh = _consume(case, analysis, now)
    if not fresh:
        return Decision(case.status, again=seen.tuning.tick)
    case = replace(case, seen=_remembering(seen, analysis))
    if candidate.stage == "Holdback":
        return _hold_back(case, now)
    blocked = _may_not_rise(case, now)
    if blocked is not None:
        return _hold(case, blocked, now)
    if analysis.quiet >= NO_TRAFFIC:
        quiet = f"no request reached {candidate.short} for {analysis.quiet:.0f}s"
        return _inconclusive(case, Verdict("NoData", "NoTraffic", quiet), now)
    if analysis.looks < 2:
        return _hold(case, Verdict("Undecided", "Dwell", "at least two looks at every step"), now)
    proven = analysis.proven(candidate.step)
    if not proven.good:
        return _inconclusive(case, Verdict("Undecided", proven.reason, proven.message), now)
    return _step(case, analysis, candidate.step, proven.message, now)


def _remembering(seen: Observed, analysis: Analysis | None) -> Observed:
    state = analysis.to_status() if analysis else None
    return replace(seen, status=seen.status.model_copy(update={"analysis": state}))


def _may_not_rise(case: Case, now: float) -> Verdict | None:
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


def _step(case: Case, analysis: Analysis, index: int, why: str, now: float) -> Decision:
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
    if isinstance(case.seen.spec, Spec) and case.seen.spec.paused:
        return _hold(case, Verdict("Undecided", "Paused", "spec.paused holds it"), now)
    if left > 0:
        weight = 100 - case.candidate.weight
        why = f"{weight}% stays on the old revision, as a control group"
        return _hold(case, Verdict("Undecided", "Holdback", why), now)
    return promote(case, "held through the holdback", now)


def _inconclusive(case: Case, verdict: Verdict, now: float) -> Decision:
    """Neither good nor bad: hold, and at maxDuration do what the spec says."""
    if age(case.candidate.rollout_since, now) < case.known.max_duration:
        return _hold(case, verdict, now)
    if verdict.reason == "NoTraffic":
        return _hold(case, verdict, now)
    last = Verdict("Undecided", "Inconclusive", f"at maxDuration: {verdict.message}")
    if case.known.on_inconclusive == "Rollback":
        return roll_back(case, Verdict("Bad", "Inconclusive", last.message), now)
    if case.known.on_inconclusive == "Withdraw":
        return withdraw(case, last, now)
    if case.known.on_inconclusive == "Promote":
        return promote(case, f"onInconclusive: Promote; {verdict.message}", now)
    return _hold(case, last, now)


def _no_data(case: Case, sample: NoSample | None, now: float) -> Decision:
    """Missing data holds; missing longer than maxDuration it withdraws. It never decides more."""
    reason = sample.reason if sample else "MetricsLost"
    message = sample.message if sample else "not asked yet"
    verdict = Verdict("NoData", reason, message)
    lost = case.status.condition("MetricsAvailable")
    since = lost.last_transition_time if lost and lost.status == "False" else ""
    if case.candidate.weight and since and age(since, now) > case.known.max_duration:
        return withdraw(case, verdict, now)
    return _hold(case, verdict, now)


def _hold(case: Case, verdict: Verdict, now: float) -> Decision:
    return Decision(told(case.status, "Rollout", verdict, now), again=case.seen.tuning.tick)


def _resume(case: Case, now: float) -> Decision:
    """A withdrawn rollout starts again at its first step, with fresh evidence."""
    why = next((s.reason for s in case.status.flow if s.stage == "Rollout"), "")
    gone = case.arm.ready >= case.known.replicas_min and isinstance(case.seen.sample, Sample)
    if why == "Inconclusive" or not gone:
        return Decision(case.status, again=case.seen.tuning.tick)
    candidate = case.candidate.model_copy(
        update={"stage": "Rollout", "since": stamp(now), "rollout_since": ""}
    )
    status = case.status.model_copy(update={"candidate": candidate, "analysis": None})
    return Decision(
        decided(status, f"{candidate.short} starts again", "the cause is gone", now),
        decisive_status=True,
    )
