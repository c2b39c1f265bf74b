"""How both gates end: passed, rejected, run again after a while, or held until a person acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import merit
from merit.api.hashing import Identity
from merit.api.quantity import format_duration
from merit.api.status import Candidate, Stage
from merit.policy.gates.job_run import GateRun, run_name
from merit.policy.gates.retry_policy import next_attempt, retry_delay, with_gate_passed
from merit.policy.gates.strict_json import LIMIT
from merit.policy.state.decision import Decision, Note, Record, decisive
from merit.policy.state.observed import Observed
from merit.policy.state.times import stamp
from merit.policy.state.transitions import with_rejection, with_stage
from merit.policy.state.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Gate:
    """One of the two gates, in the words of its decision lines and Events.

    `brief`: characters of a verdict that they, and the ledger, keep.
    """

    stage: Stage
    place: str
    job: str
    passed: str
    rejected: str
    rejected_event: tuple[str, str]
    brief: int


EVALUATION = Gate(
    stage="Evaluation",
    place="the evaluation",
    job="the evaluation",
    passed="passed the evaluation",
    rejected="rejected at the evaluation",
    rejected_event=("EvaluationFailed", "Rejected: "),
    brief=400,
)
FEASIBILITY = Gate(
    stage="Feasibility",
    place="the feasibility gate",
    job="the load test",
    passed="is feasible",
    rejected="rejected as infeasible",
    rejected_event=("Infeasible", ""),
    brief=600,
)


def end_gate(
    gate: Gate,
    seen: Observed,
    verdict: Verdict,
    record: Record | None,
    onward: Candidate,
    now: float,
) -> Decision:
    """What a verdict of this gate leads to.

    `record`: None if an earlier run passed it. `onward`: the candidate as it leaves a passed gate.
    """
    candidate, accepted = seen.status.candidate, seen.record(seen.status.candidate)
    assert candidate is not None and accepted is not None
    if verdict.kind not in ("Good", "Bad"):
        return _run_again_or_held(gate, seen, candidate, verdict, record, now)
    identity, name = accepted.identity, record.name if record else ""
    brief = verdict.message[: gate.brief]
    versioned = f"version {candidate.version}: {brief}"
    status = with_stage(seen.status, gate.stage, verdict, now, record=name)
    actions = (record,) if record else ()
    if verdict.kind == "Good":
        status = status.model_copy(update={"candidate": onward, "analysis": None})
        if record is not None:
            status = with_gate_passed(status, accepted, gate.stage, name, now)
        note = Note(verdict.reason, versioned)
        return decisive(status, f"{onward.short} {gate.passed}", brief, now, note, actions=actions)
    kept = replace(verdict, message=brief)
    status = with_rejection(status, identity, gate.stage, kept, candidate.version, now)
    reason, prefix = gate.rejected_event
    note = Note(reason, f"{prefix}{versioned}", warning=True)
    what = f"{candidate.short} {gate.rejected}"
    return decisive(status, what, versioned, now, note, actions=actions)


def _run_again_or_held(
    gate: Gate,
    seen: Observed,
    candidate: Candidate,
    verdict: Verdict,
    record: Record | None,
    now: float,
) -> Decision:
    """No verdict on the model: another run after a while, or a person has to act."""
    why = verdict.message[: gate.brief]
    versioned, delay = f"version {candidate.version}: {why}", retry_delay(candidate, verdict)
    if delay is None:
        event = f"held at {gate.place}"
        what = f"{candidate.short} is {event}"
        waiting = candidate.model_copy(update={"held": True})
    else:
        again = "runs again " + (f"in {format_duration(delay)}" if delay else "at once")
        what, event = f"{gate.job} of {candidate.short} {again}", f"{gate.job} {again}"
        verdict = replace(verdict, message=f"{verdict.message}; {again}")
        waiting = next_attempt(candidate, now, failures=candidate.failures + 1)
        why = versioned if gate is EVALUATION else why
    name = record.name if record else ""
    status = with_stage(seen.status, gate.stage, verdict, now, record=name)
    status = status.model_copy(update={"candidate": waiting})
    note = Note(verdict.reason, f"{event}, {versioned}", warning=True)
    return decisive(status, what, why, now, note, actions=(record,) if record else ())


def job_record(
    seen: Observed, run: GateRun, verdict: Verdict, now: float, facts: Mapping[str, str]
) -> Record:
    """The record of a run of the gate's Job: everything that the verdict came from."""
    job = run.job
    run_facts = {
        "nonce": run.nonce,
        "report": (job.message or "")[: 2 * LIMIT],
        "images": "\n".join(job.images),
        "started": job.started,
        "ended": job.ended or stamp(now),
    }
    identity = run.accepted.identity
    base = stage_record(seen, run.candidate, identity, run.stage, verdict, now)
    return Record(base.name, run.name, {**base.content, **run_facts, **facts})


def stage_record(
    seen: Observed,
    candidate: Candidate,
    identity: Identity,
    stage: Stage,
    verdict: Verdict,
    now: float,
) -> Record:
    """The record of a stage that was judged, or skipped, without a Job."""
    policy = identity.stage_policy(stage)
    content = {
        "stage": stage,
        "revision": candidate.revision,
        "version": candidate.version,
        "policy": policy,
        "attempt": str(candidate.attempt),
        "verdict": verdict.kind,
        "reason": verdict.reason,
        "message": verdict.message,
        "merit": merit.__version__,
        "at": stamp(now),
    }
    return Record(run_name(seen, candidate, stage, policy), "", content)
