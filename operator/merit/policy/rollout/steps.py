"""The steps of a rollout: only a Good verdict raises a weight."""

from __future__ import annotations

from dataclasses import replace

from merit.api.evidence_state import AnalysisState
from merit.policy.outcomes.promote import promote
from merit.policy.outcomes.roll_back import keep_exposed, roll_back, with_evidence
from merit.policy.rollout.inconclusive import (
    hold,
    inconclusive,
    no_data,
    not_accepted,
    waiting,
)
from merit.policy.rollout.judging import baseline_state
from merit.policy.rollout.pod_failures import fault, never_ready
from merit.policy.rollout.raising import halted, may_not_rise, needs_approval, route_lags, slow_step
from merit.policy.rollout.resume import resume
from merit.policy.signals.gauge_signals import closed, veto
from merit.policy.state.capacity import load_now, pods_wanted
from merit.policy.state.context import RolloutContext, rollout_context, stable_pods
from merit.policy.state.decision import Decision, Note, decisive
from merit.policy.state.observed import Observed
from merit.policy.state.route_kind import by_pods
from merit.policy.state.times import age, stamp
from merit.policy.state.transitions import with_stage
from merit.policy.state.verdict import Verdict
from merit.stats.counts import Sample
from merit.stats.ladder import first_step

PASSES_BY_ITSELF = frozenset({"Paused", "InternalError", "Dwell", "WarmingUp"})  # or by a person
NO_TRAFFIC = 120.0  # seconds without a request after which the flow says so


def roll_out(seen: Observed, now: float) -> Decision | None:
    """Bring the candidate up, then enter step after step, each on proof."""
    context = rollout_context(seen)
    if context is None:
        return None
    if context.candidate.stage == "Withdrawn":
        return resume(context, now)
    if context.candidate.weight == 0:
        return _enter(context, now)
    return _advance(context, now)


def _enter(context: RolloutContext, now: float) -> Decision:
    """From no traffic to the first step, or, with nothing to compare with, to all of it."""
    pods, seen, sample = context.pods, context.seen, context.seen.measurements.sample
    bad = never_ready(context)
    if bad is not None:
        return roll_back(context, Verdict("Bad", "NeverReady", bad.message), now)
    if seen.status.stable is not None and len(context.ladder) < 2 and by_pods(seen):
        why = "no step is as large as one pod's share: raise constraints.scale.replicas.min"
        return hold(context, Verdict("Undecided", "StepTooSmall", why), now)
    wanted = pods_wanted(context)
    if not pods.in_sync or pods.ready < wanted:
        if pods.blocked:
            return hold(context, Verdict("NoData", pods.blocked_by, pods.blocked), now)
        why = f"{pods.ready} of {wanted} pods ready"
        if pods.deadline_exceeded:
            return hold(context, Verdict("Undecided", "NeverReady", f"{why}: {pods.detail}"), now)
        return hold(context, Verdict("Undecided", "WaitingForPods", why), now)
    stopped = halted(seen)
    if stopped is not None:
        return hold(context, stopped, now)
    if seen.status.stable is None:
        return promote(context, "first deployment: nothing to compare with", now)
    unread = closed(seen, context.accepted.spec)
    if unread is not None:
        return hold(context, unread, now)
    if not isinstance(sample, Sample):
        return no_data(context, sample, now)
    if unmeasured := _unmeasured(sample):
        return hold(context, unmeasured, now)
    if seen.measurements.dispersion_pending:
        why = "the dispersion of stable's errors is being measured"
        return hold(context, Verdict("Undecided", "Measuring", why), now)
    step = first_step(context.ladder, context.settings.rps, context.settings.explicit_steps)
    unapproved = needs_approval(context, context.ladder[step])
    if unapproved is not None:
        return hold(context, unapproved, now)
    baseline = baseline_state(context, sample.at)
    why = f"its pods are ready{slow_step(context, step)}"
    return enter_step(context, baseline, step, why, now)


def _advance(context: RolloutContext, now: float) -> Decision:
    """At a step: advance on proof, promote after the holdback, else hold and say why."""
    seen, candidate, sample = context.seen, context.candidate, context.seen.measurements.sample
    failing = fault(context)
    if failing is not None:  # with `automatic: false`, or `pods_fail` would have rolled it back
        return keep_exposed(context, failing, now)
    if not isinstance(sample, Sample):
        return no_data(context, sample, now)
    evidence = seen.evidence.rollout
    if evidence is None or evidence.bad:  # bad, and the others of its poll are being counted
        return waiting(context)
    context = replace(context, seen=replace(seen, status=with_evidence(seen)))
    if candidate.stage == "Holdback":
        return _hold_back(context, sample, now)
    blocked = may_not_rise(context, now)
    if blocked is not None and blocked.reason == "RouteNotAccepted":
        return not_accepted(context, blocked, now)
    if blocked is not None and blocked.reason in PASSES_BY_ITSELF:
        return hold(context, blocked, now)
    if blocked is not None:
        return inconclusive(context, blocked, now, may_promote=False)
    if evidence.seconds_idle >= NO_TRAFFIC:
        why = f"no request reached {candidate.short} for {evidence.seconds_idle:.0f}s"
        return inconclusive(context, Verdict("NoData", "NoTraffic", why), now)
    if evidence.scrapes < 2:
        why = "at least two scrapes at every step"
        return hold(context, Verdict("Undecided", "Dwell", why), now)
    if unmeasured := _unmeasured(sample):
        return inconclusive(context, unmeasured, now, may_promote=False)
    proven = evidence.next_step
    if not proven.good:
        return inconclusive(context, Verdict("Undecided", proven.reason, proven.message), now)
    step = context.next_step
    unapproved = needs_approval(context, context.weight_at(step))
    if unapproved is not None:
        why = f"{unapproved.message}; {proven.message}"
        return hold(context, replace(unapproved, message=why), now)
    why = f"{proven.message}{slow_step(context, step)}"
    return enter_step(context, evidence.state, step, why, now)


def enter_step(
    context: RolloutContext, state: AnalysisState, index: int, why: str, now: float
) -> Decision:
    """Enter the ladder's entry `index`: the new weight and the evidence in one write.

    Its holdback begins on proof alone: a ladder of one step is entered, proven, then held back.
    """
    old, weight = context.candidate, context.weight_at(index)
    proven = old.weight > 0 and index == len(context.ladder) - 1
    stage = "Holdback" if proven else "Rollout"
    candidate = old.model_copy(
        update={
            "weight": weight,
            "step": index + 1,
            "since": stamp(now),
            "rollout_since": old.rollout_since or stamp(now),
            "load": old.load if old.weight else load_now(context.seen),
            "floor": old.floor if old.weight else stable_pods(context.seen),
            "stage": stage,
        }
    )
    status = context.status.model_copy(update={"candidate": candidate, "analysis": state})
    last, what = stage == "Holdback", f"{old.weight}% -> {weight}%"
    verdict = Verdict("Undecided", "Holdback" if last else "Sampling", why)
    note = Note("Holdback" if last else "WeightRaised", f"version {old.version} {what}: {why}")
    return decisive(with_stage(status, "Rollout", verdict, now), what, why, now, note)


def _unmeasured(sample: Sample) -> Verdict | None:
    """A bar of which nothing is measured: that may be anything, so nothing rises."""
    lost = next(iter(sample.lost.values()), None)
    return Verdict("NoData", lost.reason, lost.message) if lost is not None else None


def _hold_back(context: RolloutContext, sample: Sample, now: float) -> Decision:
    """After the last step: a control group stays on the old revision for a while."""
    left = context.settings.holdback_duration - age(context.candidate.since, now)
    stopped = halted(context.seen)
    if stopped is not None:
        return hold(context, stopped, now)
    if left > 0:
        weight = 100 - context.candidate.weight
        why = f"{weight}% stays on the old revision, as a control group"
        return hold(context, Verdict("Undecided", "Holdback", why), now)
    waiting = route_lags(context)
    if waiting is not None:
        return hold(context, waiting, now)
    forbidden = veto(context.seen, context.accepted.spec) or _unmeasured(sample)
    if forbidden is not None:
        return inconclusive(context, forbidden, now, may_promote=False)
    return promote(context, "held through the holdback", now)
