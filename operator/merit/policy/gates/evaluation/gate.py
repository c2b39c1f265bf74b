"""Gate 1: is it good enough? A Job reports numbers; the bars of the accepted spec judge them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace

from merit.api.spec import Spec
from merit.api.validation import Invalid
from merit.policy.gates.ending import EVALUATION, end_gate, job_record
from merit.policy.gates.evaluation.bars import Serving
from merit.policy.gates.evaluation.job_outcome import Outcome, outcome
from merit.policy.gates.evaluation.report import Report, parse_report
from merit.policy.gates.job_run import GateRun, gate_run, start, wait
from merit.policy.gates.retry_policy import compared_with, next_attempt, passed_before
from merit.policy.gates.strict_json import plain
from merit.policy.signals.baselines import declared_drifts, new_baseline, with_baselines
from merit.policy.state.decision import Decision, Record
from merit.policy.state.observed import Observed, Tuning
from merit.policy.state.times import seconds
from merit.policy.state.verdict import Verdict
from merit.stats.histogram import Histogram


def evaluate(seen: Observed, now: float) -> Decision | None:
    """Run the Job, or judge what it reported."""
    run = gate_run(seen)
    if run is None or run.stage != "Evaluation" or run.candidate.superseded:
        return None
    onward = next_attempt(run.candidate, now).model_copy(update={"stage": "Feasibility"})
    before = passed_before(seen.status, run.accepted, "Evaluation")
    if before is not None:
        return end_gate(EVALUATION, seen, before, None, onward, now)
    if run.candidate.held:
        return Decision(seen.status)  # another pass would find the same: a person has to act
    if not run.job.exists:
        stable = seen.status.stable
        return start(seen, run, "Job", now, stable_key=stable.key if stable else "")
    if run.job.finished:
        result = outcome(
            run.job,
            run.accepted.spec.evaluation,
            revision=run.candidate.revision,
            nonce=run.nonce,
            serving=_serving(seen),
        )
    else:
        waiting = wait(seen, run, "Job", now)
        if waiting is not None:
            return waiting
        why = f"no report: {plain(run.job.blocked)}"
        result = Outcome(Verdict("NoData", "JobFailed", why))
    record = _record(seen, run, result, now)
    if result.verdict.kind == "Good":
        seen = with_reference_baselines(seen, run.accepted.spec, run.job.message or "", run.nonce)
    return end_gate(EVALUATION, seen, result.verdict, record, onward, now)


def compares_with_stable(seen: Observed) -> bool:
    """Whether the verdict that is due may need the serving revision's own record."""
    run = gate_run(seen)
    return run is not None and bool(compared_with(run.accepted.spec, seen.status, run.stage))


def unreadable_report(spec: Spec | Invalid, tuning: Tuning) -> Invalid | None:
    """Why this operator cannot have a framework's file read, if it cannot."""
    if isinstance(spec, Invalid) or not spec.evaluation.file or tuning.report_image:
        return None
    return Invalid(
        "spec.evaluation.report",
        "needs Merit's image in the evaluator's pod, and the operator's configuration names none",
        "set images.report there, or write the report to the termination message",
    )


def newest_pass(records: list[Mapping[str, str]]) -> Mapping[str, str]:
    """Of a revision's evaluation records the newest that passed; empty if none did."""
    passes = [r for r in records if r.get("verdict") == "Good" and r.get("report")]
    return max(passes, key=lambda r: seconds(r.get("at", "")), default={})


def with_reference_baselines(seen: Observed, spec: Spec, message: str, nonce: str) -> Observed:
    """The view with the report's reference histograms as the candidate's drift baselines."""
    candidate = seen.status.candidate
    assert candidate is not None
    report = parse_report(message, revision=candidate.revision, nonce=nonce)
    if not isinstance(report, Report):
        return seen
    states = []
    for drift in declared_drifts(spec):
        reference = report.reference.get(drift.name)
        if reference is not None:
            edges = (*(float(edge) for edge in reference.le), math.inf)
            histogram = Histogram(edges, tuple(float(n) for n in reference.n))
            states.append(new_baseline(drift.name, candidate.short, "Reference", histogram))
    return replace(seen, status=with_baselines(seen.status, *states))


def _serving(seen: Observed) -> Serving | None:
    """What the candidate is compared with: the stable revision, and its record if it was read."""
    stable, record = seen.status.stable, seen.recorded.evaluation
    if stable is None:
        return None
    report = parse_report(
        record.get("report", ""), revision=stable.revision, nonce=record.get("nonce", "")
    )
    return Serving(stable.revision, report if isinstance(report, Report) else None)


def _record(seen: Observed, run: GateRun, result: Outcome, now: float) -> Record:
    evaluation, code = run.accepted.spec.evaluation, run.job.exit_code
    bars = [
        bar.model_dump(mode="json", by_alias=True, exclude_none=True) for bar in evaluation.bars
    ]
    facts = {
        "format": evaluation.format,
        "bars": json.dumps(bars, indent=1),
        "findings": json.dumps([finding.as_record() for finding in result.findings], indent=1),
        "exitCode": "" if code is None else str(code),
    }
    return job_record(seen, run, result.verdict, now, facts)
