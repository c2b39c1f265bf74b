"""What happens next, or who has to do what if nothing happens by itself. Pure."""

from __future__ import annotations

from dataclasses import replace

from merit.api.reasons import REASONS
from merit.api.status import Candidate, NextStep, Status
from merit.policy.gates.job_run import expected_job
from merit.policy.gates.retry_policy import next_start
from merit.policy.report.named_state import LACKING, NamedState, State, remedy_by_hand, tried_again
from merit.policy.rollout.resume import resume_condition
from merit.policy.state.observed import Observed
from merit.policy.state.times import seconds, stamp

_PODS = frozenset(
    {"WaitingForPods", "StableFailing", "Unschedulable", "ImagePull", "QuotaExceeded", "Denied"}
)
_FIXED = {
    State.ROLLBACK_BLOCKED: "take the traffic back as soon as the route can be written",
    State.INTERNAL_ERROR: "try the same again, at most five minutes later",
    State.INVALID: "correct the spec",
    State.CONFLICT: "go on as soon as nobody else owns it",
    State.RECORD_LOST: "nothing until that version is declared again",
    State.WRITE_REFUSED: "try the refused write again",
    State.STARTING: "give it traffic once its pods are ready",
    State.CANARY: "judge again with the next scrape",
    State.HOLDBACK: "promote when the holdback is over",
    State.ROLLING_BACK: "take the traffic back",
    State.ACCEPTING: "accept the newer content",
    State.NOT_COMPARABLE: "nothing by itself: kubectl merit rollback, or a better version",
    State.BREACHED: "nothing by itself: kubectl merit rollback, or a better version",
    State.BREACH_WAITS: "compare it with its predecessor as soon as that is possible",
    State.LIVE: "keep watching",
}


def next_step(seen: Observed, status: Status, named: NamedState) -> NextStep | None:
    """The next step of an object in this state; None before anything is known of it."""
    candidate, entry = status.candidate, named.rejection
    match named.state:
        case State.HELD | State.EVALUATING | State.CHECKING if candidate and candidate.at_gate:
            return _at_gate(replace(seen, status=status), candidate)
        case State.HELD:
            return NextStep(what=_FIXED[State.STARTING])
        case State.WITHDRAWN:
            return NextStep(what=resume_condition(seen, status))
        case State.ROLLED_BACK | State.REJECTED if entry is not None:
            return NextStep(what=f"nothing until {tried_again(seen.name, entry)}")
        case State.COMPARING:
            begun = status.comparison is not None and status.comparison.weight > 0
            return NextStep(what="compare both again" if begun else "bring the predecessor up")
        case State.PENDING:
            return NextStep(what="set the traffic") if status.stable else None
    return NextStep(what=_FIXED[named.state])


def _at_gate(seen: Observed, candidate: Candidate) -> NextStep:
    flow = seen.status.stage(candidate.stage)
    reason = flow.reason if flow else ""
    if candidate.held:
        return NextStep(what=f"nothing by itself: {remedy_by_hand(seen.name, flow)}")
    if reason in LACKING:
        return NextStep(what=f"go on once the cause is gone: {REASONS[reason].remedy}")
    if candidate.stage == "Feasibility" and reason in _PODS:
        return NextStep(what="put it under load once its pods are ready")
    due = next_start(seen.status, candidate)
    if due is not None:
        return NextStep(at=stamp(due), what="run its Job again")
    if candidate.stage == "Evaluation":
        return NextStep(at=_deadline(seen), what="judge the report when the Job ends")
    if reason == "FeasibilityRunning":
        return NextStep(at=_deadline(seen), what="judge the load test when its Job ends")
    return NextStep(what="judge cost, replicas and the load test, if one is declared")


def _deadline(seen: Observed) -> str:
    """When the running Job is given up; empty without one."""
    job = seen.jobs.awaited
    if job is None or job.name != expected_job(seen) or not job.exists or not job.deadline:
        return ""
    return stamp(seconds(job.started or job.created) + job.deadline)
