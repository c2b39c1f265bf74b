"""What the end of an evaluation Job means: a broken Job is neither a bad model nor a good one."""

from __future__ import annotations

from dataclasses import dataclass

from merit.api.evaluation import Evaluation
from merit.policy.gates.evaluation.bars import Serving, judge
from merit.policy.gates.evaluation.finding import Finding, gate_verdict
from merit.policy.gates.evaluation.report import parse_report
from merit.policy.gates.strict_json import plain
from merit.policy.state.observed import JobRun
from merit.policy.state.verdict import Verdict

KILLED = frozenset({125, 126, 127, 137, 139, 143})  # could not start, or was ended from outside
_PLATFORM = frozenset({"OOMKilled", "Evicted", "DeadlineExceeded", "ContainerCannotRun"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdict of a finished run, and the findings that it follows from."""

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
    cause = plain(job.reason or "failed", 64)
    return Verdict("NoData", "JobFailed", f"no report: {cause}{code}{detail}")
