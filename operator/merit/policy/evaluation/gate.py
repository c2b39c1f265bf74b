"""Gate 1: is it good enough? A Job reports numbers; the bars of the accepted spec judge them."""

from __future__ import annotations

import json
from collections.abc import Mapping

import merit
from merit.api.quantity import format_duration
from merit.api.spec import Spec
from merit.api.status import Status
from merit.api.validation import Invalid
from merit.policy.decision import Decision, Note, Record, RunJob
from merit.policy.evaluation.bars import Serving
from merit.policy.evaluation.report import Report, parse_report
from merit.policy.evaluation.strict import LIMIT, plain
from merit.policy.gates.passed import passed, passed_before
from merit.policy.gates.run import Run, run_at
from merit.policy.gates.runs import (
    PULL_PATIENCE,
    Outcome,
    again,
    backs_off,
    follows,
    outcome,
    told_findings,
)
from merit.policy.observed import JobRun, Observed, Tuning
from merit.policy.remember import decided, reject, told
from merit.policy.times import age, seconds, stamp
from merit.policy.verdict import Verdict
from merit.policy.watch.baselines import with_references

BRIEF = 400  # characters of a verdict in the ledger and in the list of decisions


def run_of(seen: Observed) -> Run | None:
    """The run, if this object is in gate 1."""
    return run_at(seen, "Evaluation")


def expected_job(seen: Observed) -> str | None:
    """The name of the Job that this object waits for now, or is held at, if it is in gate 1."""
    run = run_of(seen)
    return run.job if run else None


def compares(seen: Observed) -> bool:
    """Whether the verdict that is due may need the serving revision's own record."""
    run = run_of(seen)
    bars = run.accepted.spec.evaluation.bars if run and seen.status.stable else ()
    return any(bar.no_worse_than_stable is not None for bar in bars)


def unreadable(spec: Spec | Invalid, tuning: Tuning) -> Invalid | None:
    """Why this operator cannot have a framework's file read, if it cannot."""
    if isinstance(spec, Invalid) or not spec.evaluation.file or tuning.report_image:
        return None
    return Invalid(
        "spec.evaluation.report",
        "needs Merit's image in the evaluator's pod, and the operator's configuration names none",
        "set images.report there, or write the report to the termination message",
    )


def evaluate(seen: Observed, now: float) -> Decision | None:
    """Run the Job, or judge what it reported."""
    run = run_of(seen)
    if run is None or run.candidate.superseded:
        return None
    before = passed_before(seen.status, run.accepted.identity, "Evaluation")
    if before is not None:
        return _passed(seen, run, before, now, ())
    if run.candidate.held:
        return Decision(seen.status)  # nothing new would come of it: somebody must act
    job = seen.job if seen.job and seen.job.name == run.job else JobRun(name=run.job)
    if not job.exists:
        return _start(seen, run, now)
    if not job.finished:
        return _wait(seen, run, job, now)
    found = outcome(
        job,
        run.accepted.spec.evaluation,
        revision=run.candidate.revision,
        nonce=run.nonce,
        serving=_serving(seen),
    )
    return _finish(seen, run, job, found, now)


def _serving(seen: Observed) -> Serving | None:
    """What the candidate is compared with: the stable revision, and its record if it was read."""
    stable, record = seen.status.stable, seen.serving_record
    if stable is None:
        return None
    told = parse_report(
        record.get("report", ""), revision=stable.revision, nonce=record.get("nonce", "")
    )
    return Serving(stable.revision, told if isinstance(told, Report) else None)


def _start(seen: Observed, run: Run, now: float) -> Decision:
    left = backs_off(seen.status, run.candidate, now)
    if left is not None:
        return Decision(seen.status, again=left)
    running = Verdict("Undecided", "EvaluationRunning", f"Job {run.job} starts")
    stable = seen.status.stable
    action = RunJob(
        key=run.accepted.identity.key,
        stage="Evaluation",
        name=run.job,
        nonce=run.nonce,
        stable_key=f"{stable.short}-{stable.policy}" if stable else "",
    )
    return Decision(told(seen.status, "Evaluation", running, now), actions=(action,))


def _wait(seen: Observed, run: Run, job: JobRun, now: float) -> Decision:
    """The Job runs, or waits for what the cluster lacks; an image may be waited for too long."""
    pulls = job.blocked_by == "ImagePull"
    patience = PULL_PATIENCE - age(job.created, now)
    if pulls and patience <= 0:
        failed = Verdict("NoData", "JobFailed", f"no report: {plain(job.blocked)}")
        return _finish(seen, run, job, Outcome(failed), now)
    words = f"waits: {plain(job.blocked)}" if job.blocked else "runs"
    running = Verdict("Undecided", "EvaluationRunning", f"Job {run.job} {words}")
    status = told(seen.status, "Evaluation", running, now)
    return Decision(status, again=patience if pulls else None)


def _finish(seen: Observed, run: Run, job: JobRun, found: Outcome, now: float) -> Decision:
    candidate, verdict = run.candidate, found.verdict
    record = Record(name=run.job, job=run.job, content=_record(run, job, found, now))
    if verdict.kind == "Good":
        seen = with_references(
            seen,
            run.accepted.spec,
            short=candidate.short,
            message=job.message or "",
            nonce=run.nonce,
        )
        return _passed(seen, run, verdict, now, (record,))
    if verdict.kind == "Bad":
        return _refused(seen, run, verdict, record, now)
    wait = follows(candidate, verdict)
    version = f"version {candidate.version}: {verdict.message[:BRIEF]}"
    if wait is None:
        held = candidate.model_copy(update={"held": True})
        status = told(seen.status, "Evaluation", verdict, now, record=run.job)
        status = status.model_copy(update={"candidate": held})
        what, why = f"{candidate.short} is held at the evaluation", verdict.message[:BRIEF]
        note = Note(verdict.reason, f"held at the evaluation, {version}", warning=True)
    else:
        when = f"in {format_duration(wait)}" if wait else "at once"
        verdict = Verdict(verdict.kind, verdict.reason, f"{verdict.message}; runs again {when}")
        status = told(seen.status, "Evaluation", verdict, now, record=run.job)
        another = again(candidate, now, failures=candidate.failures + 1)
        status = status.model_copy(update={"candidate": another})
        what, why = f"the evaluation of {candidate.short} runs again {when}", version
        note = Note(verdict.reason, f"the evaluation runs again {when}, {version}", warning=True)
    return Decision(
        decided(status, what, why, now), actions=(record,), notes=(note,), decisive_status=True
    )


def _refused(seen: Observed, run: Run, verdict: Verdict, record: Record, now: float) -> Decision:
    candidate = run.candidate
    why = f"version {candidate.version}: {verdict.message[:BRIEF]}"
    status = told(seen.status, "Evaluation", verdict, now, record=run.job)
    brief = Verdict(verdict.kind, verdict.reason, verdict.message[:BRIEF])
    status = reject(status, run.accepted.identity, "Evaluation", brief, candidate.version, now)
    return Decision(
        decided(status, f"{candidate.short} rejected at the evaluation", why, now),
        actions=(record,),
        notes=(Note("EvaluationFailed", f"Rejected: {why}", warning=True),),
        decisive_status=True,
    )


def _passed(
    seen: Observed, run: Run, verdict: Verdict, now: float, actions: tuple[Record, ...]
) -> Decision:
    candidate, record = run.candidate, actions[0].name if actions else ""
    status: Status = told(seen.status, "Evaluation", verdict, now, record=record)
    if actions:
        status = passed(status, run.accepted.identity, "Evaluation", record, now)
    onward = again(candidate, now).model_copy(update={"stage": "Feasibility"})
    status = status.model_copy(update={"candidate": onward})
    brief = verdict.message[:BRIEF]
    return Decision(
        decided(status, f"{candidate.short} passed the evaluation", brief, now),
        actions=actions,
        notes=(Note(verdict.reason, f"version {candidate.version}: {brief}"),),
        decisive_status=True,
    )


def _record(run: Run, job: JobRun, found: Outcome, now: float) -> Mapping[str, str]:
    """Everything that the verdict came from; readable by whoever reads ConfigMaps."""
    evaluation = run.accepted.spec.evaluation
    bars = [
        bar.model_dump(mode="json", by_alias=True, exclude_none=True) for bar in evaluation.bars
    ]
    return {
        "stage": "Evaluation",
        "revision": run.candidate.revision,
        "version": run.candidate.version,
        "policy": run.accepted.identity.evaluation,
        "attempt": str(run.candidate.attempt),
        "nonce": run.nonce,
        "verdict": found.verdict.kind,
        "reason": found.verdict.reason,
        "message": found.verdict.message,
        "format": evaluation.format,
        "report": (job.message or "")[: 2 * LIMIT],
        "bars": json.dumps(bars, indent=1),
        "findings": json.dumps(told_findings(found.findings), indent=1),
        "images": "\n".join(job.images),
        "started": job.started,
        "ended": job.ended or stamp(now),
        "exitCode": "" if job.exit_code is None else str(job.exit_code),
        "merit": merit.__version__,
        "at": stamp(now),
    }


def newest_pass(records: list[Mapping[str, str]]) -> Mapping[str, str]:
    """Of a revision's evaluation records the newest that passed; empty if none did."""
    passed = [r for r in records if r.get("verdict") == "Good" and r.get("report")]
    return max(passed, key=lambda r: seconds(r.get("at", "")), default={})
