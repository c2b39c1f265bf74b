"""Gate 1: is it good enough? A Job reports numbers; the bars of the accepted spec judge them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from merit.api.evaluation import EvaluationBar
from merit.api.names import job_name, nonce, run_id
from merit.api.status import Candidate
from merit.policy.decision import Decision, Note, Record, RunJob
from merit.policy.observed import Accepted, JobRun, Observed
from merit.policy.remember import decided, reject, told, was_promoted
from merit.policy.report import Report, Value, parse_report
from merit.policy.strict import plain
from merit.policy.times import age, stamp
from merit.policy.verdict import Verdict

BACK_OFF = (0.0, 60.0, 300.0)  # before each run; infrastructure failures are not the model's
_INFRASTRUCTURE_CODES = {125, 126, 127, 137, 139, 143}


def expected_job(seen: Observed) -> str | None:
    """The name of the Job that this object waits for now, if it is in gate 1."""
    candidate, accepted = seen.status.candidate, candidate_spec(seen)
    if candidate is None or accepted is None or candidate.stage != "Evaluation":
        return None
    policy = accepted.identity.evaluation
    run = run_id(seen.uid, candidate.revision, policy, candidate.run)
    return job_name(seen.name, candidate.short, "evaluation", run)


def candidate_spec(seen: Observed) -> Accepted | None:
    """The accepted spec that the candidate is judged by."""
    candidate = seen.status.candidate
    return seen.accepted.get(f"{candidate.short}-{candidate.policy}") if candidate else None


def evaluate(seen: Observed, now: float) -> Decision | None:
    """Run the Job, or judge what it reported."""
    candidate, accepted = seen.status.candidate, candidate_spec(seen)
    if candidate is None or accepted is None or candidate.stage != "Evaluation":
        return None
    if candidate.superseded:
        return None
    if was_promoted(seen.status, accepted.identity):
        restored = Verdict("Good", "Restored", "passed before under the same bars; not run again")
        return _passed(seen, candidate, restored, now, ())
    name = expected_job(seen)
    assert name is not None
    job = seen.job if seen.job and seen.job.name == name else JobRun(name=name)
    token = nonce(seen.uid, candidate.revision, accepted.identity.evaluation, candidate.run)
    if not job.exists:
        return _start(seen, candidate, accepted, name, token, now)
    if not job.finished:
        running = Verdict("Undecided", "EvaluationRunning", f"Job {name} runs")
        return Decision(told(seen.status, "Evaluation", running, now))
    verdict = judge(job, accepted.spec.evaluation.bars, candidate.revision, token)
    return _finish(seen, candidate, accepted, job, verdict, now)


def _start(
    seen: Observed, candidate: Candidate, accepted: Accepted, name: str, token: str, now: float
) -> Decision:
    flow = next((s for s in seen.status.flow if s.stage == "Evaluation"), None)
    if flow is not None and flow.verdict == "NoData" and candidate.attempt > len(BACK_OFF):
        return Decision(seen.status)  # given up: shown as stalled, until somebody acts
    wait = BACK_OFF[min(candidate.attempt, len(BACK_OFF)) - 1] - age(candidate.since, now)
    if wait > 0:
        return Decision(seen.status, again=wait)
    running = Verdict("Undecided", "EvaluationRunning", f"Job {name} starts")
    stable = seen.status.stable
    run = RunJob(
        key=accepted.identity.key,
        stage="Evaluation",
        name=name,
        nonce=token,
        stable_key=f"{stable.short}-{stable.policy}" if stable else "",
    )
    return Decision(told(seen.status, "Evaluation", running, now), actions=(run,))


def _finish(
    seen: Observed,
    candidate: Candidate,
    accepted: Accepted,
    job: JobRun,
    verdict: Verdict,
    now: float,
) -> Decision:
    record = Record(
        name=job.name,
        job=job.name,
        content={
            "stage": "Evaluation",
            "revision": candidate.revision,
            "policy": accepted.identity.evaluation,
            "verdict": verdict.kind,
            "reason": verdict.reason,
            "message": verdict.message,
            "report": plain(job.message or "", 4096),
            "at": stamp(now),
        },
    )
    if verdict.kind == "Good":
        return _passed(seen, candidate, verdict, now, (record,))
    status = told(seen.status, "Evaluation", verdict, now, record=job.name)
    if verdict.kind == "Bad":
        why = f"version {candidate.version}: {verdict.message}"
        status = reject(status, accepted.identity, "Evaluation", verdict, candidate.version, now)
        return Decision(
            decided(status, f"{candidate.short} rejected at the evaluation", why, now),
            actions=(record,),
            notes=(Note("EvaluationFailed", why, warning=True),),
            decisive_status=True,
        )
    if _runs_again(verdict, candidate.attempt):
        again = candidate.model_copy(update={"attempt": candidate.attempt + 1, "since": stamp(now)})
        return Decision(
            status.model_copy(update={"candidate": again}),
            actions=(record,),
            notes=(Note(verdict.reason, f"evaluation runs again: {verdict.message}", True),),
            decisive_status=True,
        )
    return Decision(status)  # held and shown: the next run would say the same


def _runs_again(verdict: Verdict, attempt: int) -> bool:
    """Infrastructure: up to three runs. A report that is none: once more. Numbers: never."""
    if verdict.kind == "NoData":
        return attempt < len(BACK_OFF)
    broken = ("Malformed", "StaleReport", "ReportTooLarge", "UnknownSchema")
    return verdict.reason in broken and attempt < 2


def _passed(
    seen: Observed, candidate: Candidate, verdict: Verdict, now: float, actions: tuple[Record, ...]
) -> Decision:
    record = actions[0].name if actions else ""
    status = told(seen.status, "Evaluation", verdict, now, record=record)
    onward = candidate.model_copy(update={"stage": "Feasibility", "since": stamp(now)})
    status = status.model_copy(update={"candidate": onward})
    return Decision(
        decided(status, f"{candidate.short} passed the evaluation", verdict.message, now),
        actions=actions,
        notes=(Note(verdict.reason, f"version {candidate.version}: {verdict.message}"),),
        decisive_status=True,
    )


def judge(job: JobRun, bars: Sequence[EvaluationBar], revision: str, token: str) -> Verdict:
    """The verdict of a finished Job. Only a number on the wrong side of a bar is Bad."""
    if not job.message:
        if job.succeeded:
            return Verdict("Undecided", "Malformed", "the Job ended well, without a report")
        code = "" if job.exit_code is None else f" (exit code {job.exit_code})"
        return Verdict("NoData", "JobFailed", f"no report: {plain(job.reason or 'failed')}{code}")
    if job.exit_code in _INFRASTRUCTURE_CODES:
        return Verdict("NoData", "JobFailed", f"killed with exit code {job.exit_code}")
    report = parse_report(job.message, revision=revision, nonce=token)
    if isinstance(report, Verdict):
        return report
    return weigh(report, bars)


def weigh(report: Report, bars: Sequence[EvaluationBar]) -> Verdict:
    """The report against the bars: any Bad decides, then any Undecided, then Good."""
    found = [_bar(bar, report.metrics.get(bar.metric)) for bar in bars]
    for kind in ("Bad", "Undecided"):
        of_kind = [v for v in found if v.kind == kind]
        if of_kind:
            return Verdict(of_kind[0].kind, of_kind[0].reason, _joined(of_kind))
    return Verdict("Good", "MeetsBars", _joined(found))


def _bar(bar: EvaluationBar, value: Value | None) -> Verdict:
    if value is None:
        return Verdict("Undecided", "MetricMissing", f"{bar.metric} is not in the report")
    n = "" if value.n is None else f" (n={value.n:,})"
    shown = f"{bar.metric} {_short(value.v)}"
    if bar.min is not None and value.v < bar.min:
        return Verdict("Bad", "BelowBar", f"{shown} < {bar.min}{n}")
    if bar.max is not None and value.v > bar.max:
        return Verdict("Bad", "BelowBar", f"{shown} > {bar.max}{n}")
    sign = f">= {bar.min}" if bar.min is not None else f"<= {bar.max}"
    return Verdict("Good", "MeetsBars", f"{shown} {sign}{n}")


def _short(value: Decimal) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".")


def _joined(verdicts: Sequence[Verdict]) -> str:
    return "; ".join(v.message for v in verdicts)[:1000]
