"""What happens next, or who has to do what, should nothing happen by itself."""

from __future__ import annotations

from dataclasses import replace

from merit.api.reasons import REASONS
from merit.api.status import Candidate, FlowStage, NextStep, Rejection, Status
from merit.policy.canary.comeback import comeback
from merit.policy.gates.needs import expected_job
from merit.policy.gates.runs import RERUNS
from merit.policy.observed import Observed
from merit.policy.times import seconds, stamp

LACKING = frozenset({"NoPrice", "NoRequests", "NoLoadGenerator"})  # until somebody adds it
_PODS = frozenset(
    {"WaitingForPods", "StableFailing", "Unschedulable", "ImagePull", "QuotaExceeded", "Denied"}
)
_POLICIES = {
    "Evaluation": "another spec.evaluation",
    "Feasibility": "other spec.constraints, another spec.feasibility",
    "Rollout": "new bars",
}


def next_step(seen: Observed, status: Status, entry: Rejection | None) -> NextStep | None:
    """Of an object whose spec is valid. `entry`: what the ledger holds against what is declared."""
    candidate = status.candidate
    if candidate is not None:
        return _of_candidate(seen, status, candidate)
    if entry is not None:
        return NextStep(what=f"nothing until {tried_again(seen.name, entry)}")
    if status.verifying is not None:
        begun = status.verifying.weight > 0
        return NextStep(what="compare both again" if begun else "bring the predecessor up")
    return NextStep(what="keep watching") if status.stable else None


def tried_again(name: str, entry: Rejection) -> str:
    """What lets a rejected version be tried again."""
    return f"new content, {_POLICIES[entry.stage]}, or kubectl merit retry {name}"


def by_hand(name: str, flow: FlowStage | None) -> str:
    """What a person does about a gate that is held, whose last words `flow` has."""
    known = REASONS.get(flow.reason) if flow else None
    steps = [known.remedy] if known and known.remedy else []
    if flow and flow.reason == "JobFailed":
        steps = [f"see kubectl logs job/{flow.record} --all-containers"]
    return "; ".join([*steps, f"kubectl merit retry {name} runs it again"])


def _of_candidate(seen: Observed, status: Status, candidate: Candidate) -> NextStep:
    match candidate.stage:
        case "Evaluation" | "Feasibility":
            flow = next((s for s in status.flow if s.stage == candidate.stage), None)
            return _at_gate(replace(seen, status=status), candidate, flow)
        case "Rollout":
            return NextStep(what="judge again with the next scrape")
        case "Holdback":
            return NextStep(what="promote when the holdback is over")
        case "Withdrawn":
            return NextStep(what=comeback(seen, status))


def _at_gate(seen: Observed, candidate: Candidate, flow: FlowStage | None) -> NextStep:
    reason, verdict = (flow.reason, flow.verdict) if flow else ("", "Pending")
    if candidate.held:
        return NextStep(what=f"nothing by itself: {by_hand(seen.name, flow)}")
    if reason in LACKING:
        return NextStep(what=f"go on once the cause is gone: {REASONS[reason].remedy}")
    if candidate.stage == "Feasibility" and reason in _PODS:
        return NextStep(what="put it under load once its pods are ready")
    if candidate.failures and verdict == "NoData":
        due = seconds(candidate.since) + RERUNS[min(candidate.failures, len(RERUNS)) - 1]
        return NextStep(at=stamp(due), what="run its Job again")
    if candidate.stage == "Evaluation":
        return NextStep(at=_latest(seen), what="judge the report when the Job ends")
    if reason == "FeasibilityRunning":
        return NextStep(at=_latest(seen), what="judge the load test when its Job ends")
    return NextStep(what="judge cost, replicas and the load test, if one is declared")


def _latest(seen: Observed) -> str:
    """When the Job that runs is given up; empty without one."""
    job = seen.job
    if job is None or job.name != expected_job(seen) or not job.exists or not job.deadline:
        return ""
    return stamp(seconds(job.started or job.created) + job.deadline)
