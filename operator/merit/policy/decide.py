"""One pass over one object: the first rule that answers decides. Pure.

The rules are in the order of safety. A rule changes only status, the one place of intent, and
`converge` derives the effects from it: so a verdict is on record before traffic moves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import reduce

from merit.api.status import Status
from merit.policy.desired.converge import converge
from merit.policy.desired.leaving import leaving_due_in
from merit.policy.desired.ledger import drop_unreadable, restore
from merit.policy.desired.pin import restore_from_pin
from merit.policy.desired.records import require_records
from merit.policy.desired.traffic import first_share_in
from merit.policy.gates.accept import accept_content, apply_edited_bars, supersede
from merit.policy.gates.bypass import bypass_ends_in, lift_rejection, skip_stage, update_bypass
from merit.policy.gates.evaluation.gate import evaluate
from merit.policy.gates.feasibility.gate import check_feasibility
from merit.policy.live.breach import raise_alarm
from merit.policy.live.comparison import compare_live, with_comparison_evidence
from merit.policy.live.live_monitor import with_live_evidence
from merit.policy.live.live_signals import update_live_signals
from merit.policy.live.retraining import RetrainingStep, retraining
from merit.policy.live.zero_tolerance import judge_zero_tolerance
from merit.policy.outcomes.blame import settle_blame
from merit.policy.outcomes.roll_back import with_evidence
from merit.policy.report.present import present
from merit.policy.requests.manual import abort, approve, promote_now, request_rollback, retry
from merit.policy.rollout.inconclusive import route_is_gone
from merit.policy.rollout.judging import (
    judge_drift,
    judge_evidence,
    restart_evidence,
    with_rollout_evidence,
)
from merit.policy.rollout.pod_failures import candidate_is_down, pods_fail
from merit.policy.rollout.steps import roll_out
from merit.policy.signals.drift import with_drift
from merit.policy.signals.gauge_signals import with_gauge_signals
from merit.policy.state.decision import Decision, Note
from merit.policy.state.observed import Observed
from merit.policy.state.transitions import with_bounded_ledger

Rule = Callable[[Observed, float], Decision | None]


def being_deleted(seen: Observed, now: float) -> Decision | None:
    """Nothing is written any more: owner references collect the children."""
    return Decision(seen.status) if seen.deleting else None


def frozen(seen: Observed, now: float) -> Decision | None:
    """An invalid spec, or a name that somebody else owns: no weight rises, what serves goes on."""
    conflict, candidate = seen.traffic.conflict, seen.status.candidate
    if seen.declared.problem is None and not conflict:
        return None
    if candidate is not None and candidate.weight > 0:
        return Decision(with_evidence(seen), requeue_after=seen.tuning.tick)
    return Decision(seen.status, requeue_after=60.0 if conflict or seen.declared.refused else None)


SAFETY: tuple[Rule, ...] = (
    # what the operator has forgotten
    being_deleted,  # owner references collect the children
    restore,  # status was lost: the ledger, or the route, has what serves
    restore_from_pin,  # ... and the pin, what was rejected
    # what takes traffic away: by the last accepted spec, even if the declared one is invalid
    abort,  # a person's no
    candidate_is_down,  # no pod of an exposed candidate is ready
    pods_fail,  # its pods end by their own fault, more of them than stable's
    route_is_gone,  # somebody deleted the route: it comes back with all traffic at stable
    judge_zero_tolerance,  # one event of a signal with `max: "0"`
    judge_drift,  # other predictions than stable's, where a failure mode says Rollback
    judge_evidence,  # the evidence of errors and latency reaches its threshold
    settle_blame,  # it was bad and has lost its traffic: rejected, unless many were bad with it
    request_rollback,  # a person asks for the predecessor
    compare_live,  # what serves, beside its predecessor
    raise_alarm,  # what serves is outside a bar, beyond chance
)
RULES: tuple[Rule, ...] = (
    *SAFETY,
    drop_unreadable,  # evidence in status has an unknown shape
    # what is declared, and whether it can be accepted
    frozen,  # it is invalid, or a name is somebody else's: nothing below may act
    require_records,  # an accepted spec that is needed is not on record
    update_bypass,  # spec.bypass begins, ends, or is refused
    supersede,  # newer content: the candidate leaves
    apply_edited_bars,  # the same content under other bars
    restart_evidence,  # it is measured in another way: it begins anew
    retry,  # a person asks for another run
    approve,  # a person approves the next step
    lift_rejection,  # a bypass names the stage that rejected it
    accept_content,  # new content is recorded and becomes the candidate
    # what raises a candidate
    skip_stage,  # a gate that a bypass names
    evaluate,  # gate 1
    check_feasibility,  # gate 2
    promote_now,  # a person promotes it without further proof
    roll_out,  # step after step, each on proof
    # what is left
    update_live_signals,  # what serves is measured on
)


def decide(seen: Observed, now: float) -> Decision:
    """What to do, from what is observed, at Unix time `now`."""
    seen = with_all_evidence(seen)
    answers = (answer for rule in RULES if (answer := rule(seen, now)) is not None)
    decision = next(answers, Decision(seen.status))
    if seen.deleting:
        return decision
    if {type(action).__name__ for action in decision.actions} & seen.refused_writes.keys():
        # A stage ends with its record: without one it does not, and the write is tried again.
        decision = Decision(seen.status, actions=decision.actions)
    measured = with_gauge_signals(seen, with_drift(seen, decision.status, now), now)
    intent = with_bounded_ledger(seen, measured)
    training = RetrainingStep(intent) if decision.decisive_status else retraining(seen, intent, now)
    status = present(seen, training.status, now)
    notes = (*decision.notes, *training.notes, *_events(seen, status))
    decision = replace(decision, status=status, notes=notes)
    if decision.decisive_status:
        return decision  # its effects follow in the next pass, once it is on record
    actions = (*decision.actions, *converge(seen, training.status, now), *training.actions)
    return replace(decision, actions=actions, requeue_after=_next_pass_in(seen, decision, now))


EVIDENCE = (with_live_evidence, with_comparison_evidence, with_rollout_evidence)


def with_all_evidence(seen: Observed) -> Observed:
    """The view with the newest samples turned into evidence, once for all rules."""
    return reduce(lambda view, gather: gather(view), EVIDENCE, seen)


def _next_pass_in(seen: Observed, decision: Decision, now: float) -> float | None:
    status = decision.status
    times = (
        decision.requeue_after,
        seen.tuning.tick if status.comparison is not None else None,
        leaving_due_in(status, now),
        bypass_ends_in(status, now),
        first_share_in(seen, status, now),
    )
    return min((seconds for seconds in times if seconds is not None), default=None)


_BLOCKING = (("Reconciling", "RollbackBlocked"), ("OwnershipConflict", "OwnershipConflict"))


def _events(seen: Observed, status: Status) -> Iterator[Note]:
    """An Event for each bound that is no bucket edge, and for what blocks a decision, once each."""
    old = seen.status.condition("MetricsAvailable")
    for reason, sentence in seen.measurements.warnings:
        if old is None or sentence not in old.message:
            yield Note(reason, sentence, warning=True)
    for kind, reason in _BLOCKING:
        old, new = seen.status.condition(kind), status.condition(kind)
        if new is not None and new.reason == reason and (old is None or old.reason != reason):
            yield Note(reason, new.message, warning=True)
