"""Runs of a gate's Job: what its end means, and whether another follows by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from merit.api.evaluation import Evaluation
from merit.api.status import Candidate, Status
from merit.policy.evaluation.bars import Serving, judge
from merit.policy.evaluation.finding import Finding, gate_verdict
from merit.policy.evaluation.report import parse_report
from merit.policy.evaluation.strict import plain
from merit.policy.observed import JobRun
from merit.policy.times import age, stamp
from merit.policy.verdict import Verdict

PULL_PATIENCE = 300.0  # seconds until a run whose image cannot be pulled counts as failed
RERUNS = (60.0, 300.0, 1500.0)  # seconds before each: what failed was not the model
BROKEN = frozenset(  # the next run would most likely say the same: one more, then a person
    {"Malformed", "StaleReport", "ReportTooLarge", "UnknownSchema", "ReportMissing", "ReportLost"}
)
KILLED = frozenset({125, 126, 127, 137, 139, 143})  # could not start, or was ended from outside
_PLATFORM = frozenset({"OOMKilled", "Evicted", "DeadlineExceeded", "ContainerCannotRun"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a finished run says: the verdict, and the checks that it follows from."""

    verdict: Verdict
    findings: tuple[Finding, ...] = ()


def outcome(
    job: JobRun,
    evaluation: Evaluation,
    *,
    revision: str,
    nonce: str,
    serving: Serving | None = None,
) -> Outcome:
    """Only a number on the wrong side of a bar, or a chosen exit code, is Bad."""
    if evaluation.format == "ExitCode":
        return Outcome(_by_exit_code(job))
    if not job.message:
        return Outcome(_without_report(job))
    report = parse_report(job.message, revision=revision, nonce=nonce)
    if isinstance(report, Verdict):
        return Outcome(_failed(job) if _killed(job) else report)
    findings = judge(report, evaluation.bars, serving)
    return Outcome(gate_verdict(findings), findings)


def _by_exit_code(job: JobRun) -> Verdict:
    if job.succeeded:
        return Verdict("Good", "ExitCodeOnly", "the evaluator ended with 0; it reported no numbers")
    if job.exit_code in (None, 0) or _killed(job):
        return _failed(job)
    return Verdict("Bad", "ExitCode", f"the evaluator ended with {job.exit_code}")


def _without_report(job: JobRun) -> Verdict:
    if not job.succeeded:
        return _failed(job)
    if job.exit_code is None:
        return Verdict("Undecided", "ReportLost", "the pod is gone, and its report with it")
    return Verdict("Undecided", "ReportMissing", "the Job ended well, without a report")


def _killed(job: JobRun) -> bool:
    return job.exit_code in KILLED or job.reason in _PLATFORM


def _failed(job: JobRun) -> Verdict:
    code = "" if job.exit_code in (None, 0) else f" (exit code {job.exit_code})"
    detail = f": {plain(job.detail, 160)}" if job.detail else ""
    words = f"no report: {plain(job.reason or 'failed', 64)}{code}{detail}"
    return Verdict("NoData", "JobFailed", words)


def follows(candidate: Candidate, verdict: Verdict) -> float | None:
    """Seconds until another run, None if none follows by itself. Numbers are never asked twice."""
    if verdict.kind == "NoData" and candidate.failures < len(RERUNS):
        return RERUNS[candidate.failures]
    if verdict.reason in BROKEN and candidate.failures < 1:
        return 0.0
    return None


def backs_off(status: Status, candidate: Candidate, now: float) -> float | None:
    """Seconds until its stage's next Job may start; None if it may now."""
    flow = next((s for s in status.flow if s.stage == candidate.stage), None)
    if not candidate.failures or flow is None or flow.verdict != "NoData":
        return None
    left = RERUNS[min(candidate.failures, len(RERUNS)) - 1] - age(candidate.since, now)
    return left if left > 0 else None


def again(candidate: Candidate, now: float, *, failures: int = 0) -> Candidate:
    """The candidate before another run of its stage: a new Job, a new nonce."""
    return candidate.model_copy(
        update={
            "attempt": candidate.attempt + 1,
            "failures": failures,
            "held": False,
            "since": stamp(now),
        }
    )


def told_findings(findings: Sequence[Finding]) -> list[dict[str, str]]:
    """For the record: every check, in order."""
    return [
        {
            "metric": finding.metric,
            "slice": finding.slice,
            "check": finding.check,
            "verdict": finding.kind,
            "reason": finding.reason,
            "message": finding.message,
        }
        for finding in findings
    ]
