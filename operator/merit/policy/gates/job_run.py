"""The run of a gate's Job: its name and nonce, its start, and what is waited for until it ends."""

from __future__ import annotations

from dataclasses import dataclass

from merit.api.names import job_name, nonce, run_id
from merit.api.status import Candidate, Stage, Status
from merit.policy.gates.retry_policy import PULL_PATIENCE, next_start
from merit.policy.gates.strict_json import plain
from merit.policy.state.decision import Decision, RunJob
from merit.policy.state.observed import Accepted, JobRun, Observed
from merit.policy.state.times import age
from merit.policy.state.transitions import with_stage
from merit.policy.state.verdict import Verdict

POD_PATIENCE = 60.0
"""Seconds until a Job has a pod, unless a quota or a policy of the cluster refuses it."""


@dataclass(frozen=True, slots=True)
class GateRun:
    """A candidate at a gate whose Job runs, or is to run.

    `accepted`: the spec that it is judged by. `name`: of the Job and of its record. `nonce`: what
    the report must echo. `job`: what is known of the Job.
    """

    candidate: Candidate
    accepted: Accepted
    stage: Stage
    name: str
    nonce: str
    job: JobRun


def gate_run(seen: Observed) -> GateRun | None:
    """The run that this object waits for, or is held at; None where its gate needs no Job."""
    candidate, accepted = seen.status.candidate, seen.record(seen.status.candidate)
    if candidate is None or accepted is None or not candidate.at_gate:
        return None
    feasibility = accepted.spec.feasibility
    if candidate.stage == "Feasibility" and (feasibility is None or feasibility.load is None):
        return None
    stage = candidate.flow_stage
    policy = accepted.identity.stage_policy(stage)
    name, awaited = run_name(seen, candidate, stage, policy), seen.jobs.awaited
    return GateRun(
        candidate,
        accepted,
        stage,
        name,
        nonce(seen.uid, candidate.revision, policy, candidate.run),
        awaited if awaited is not None and awaited.name == name else JobRun(name=name),
    )


def run_name(seen: Observed, candidate: Candidate, stage: Stage, policy: str) -> str:
    """The name of this run's Job and record. `policy`: the hash of what judges at that stage."""
    run = run_id(seen.uid, candidate.revision, policy, candidate.run)
    return job_name(seen.name, candidate.short, stage, run)


def expected_job(seen: Observed) -> str | None:
    """The name of the Job that this object waits for now, or is held at."""
    run = gate_run(seen)
    return run.name if run is not None else None


def start(seen: Observed, run: GateRun, what: str, now: float, *, stable_key: str = "") -> Decision:
    """Start the Job, once its back-off is over. `what`: how messages call it."""
    due = next_start(seen.status, run.candidate)
    if due is not None and due > now:
        return Decision(seen.status, requeue_after=due - now)
    action = RunJob(
        key=run.accepted.identity.key,
        stage=run.stage,
        name=run.name,
        nonce=run.nonce,
        stable_key=stable_key,
    )
    return Decision(_running(seen, run, f"{what} {run.name} starts", now), actions=(action,))


def wait(seen: Observed, run: GateRun, what: str, now: float) -> Decision | None:
    """The Job runs, or its pod cannot start yet; None once its image could not be pulled for long.

    Nothing but time ends the wait for an image, so another pass is due when it is over.
    """
    job, due = run.job, None
    if job.blocked_by == "ImagePull":
        due = PULL_PATIENCE - age(job.created, now)
        if due <= 0:
            return None
    state, reason = f"waits: {plain(job.blocked)}" if job.blocked else "runs", ""
    if job.blocked_by == "Suspended":
        reason = "JobSuspended"
    elif job.podless:
        due = POD_PATIENCE - age(job.created, now)
        if due <= 0:  # only Events of the Job say why, and they are not watched
            due, reason = None, "JobWithoutPod"
            state = f"has no pod: see kubectl describe job {run.name}"
    message = f"{what} {run.name} {state}"
    return Decision(_running(seen, run, message, now, reason=reason), requeue_after=due)


def _running(seen: Observed, run: GateRun, message: str, now: float, *, reason: str = "") -> Status:
    verdict = Verdict("Undecided", reason or f"{run.stage}Running", message)
    return with_stage(seen.status, run.stage, verdict, now)
