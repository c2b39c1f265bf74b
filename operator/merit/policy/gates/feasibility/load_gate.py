"""Gate 2 under load: the candidate's pods, one load test on them, and its verdict.

None of them has traffic meanwhile: a load test reaches no user's request.
"""

from __future__ import annotations

import json
from dataclasses import replace

from merit.api.status import Candidate, Status
from merit.policy.gates.ending import job_record
from merit.policy.gates.feasibility.demand import Demand, demand_of
from merit.policy.gates.feasibility.load_order import order_of, plan_of
from merit.policy.gates.feasibility.load_report import LoadReport, parse_load
from merit.policy.gates.feasibility.sizing import (
    inconclusive,
    is_feasible,
    reasons,
    size,
    why_feasible,
    why_infeasible,
)
from merit.policy.gates.feasibility.suggestions import suggestion_text
from merit.policy.gates.job_run import GateRun, gate_run, start, wait
from merit.policy.gates.retry_policy import passed_before
from merit.policy.gates.strict_json import plain
from merit.policy.state.decision import Decision, Record
from merit.policy.state.observed import Observed
from merit.policy.state.prices import Unpriced
from merit.policy.state.transitions import with_stage
from merit.policy.state.verdict import Verdict


def load_test_given_up(candidate: Candidate) -> bool:
    """Whether the load test has ended without a verdict, and no other follows by itself."""
    return candidate.stage == "Feasibility" and candidate.held


def needs_pods(seen: Observed, status: Status) -> bool:
    """Whether the candidate is to have pods: it is past its gates, or to be put under load.

    There are none for a load test whose costs are known to be too high.
    """
    candidate = status.candidate
    if candidate is None or candidate.stage == "Evaluation":
        return False
    if candidate.stage != "Feasibility":
        return True
    run = gate_run(replace(seen, status=status))
    if run is None or candidate.held or candidate.superseded or not seen.tuning.load_image:
        return False
    if passed_before(status, run.accepted, "Feasibility") is not None:
        return False
    demand = demand_of(run.accepted.spec, seen.tuning.prices)
    return not isinstance(demand, Unpriced) and demand.replicas_min <= demand.most


def put_under_load(
    seen: Observed, run: GateRun, demand: Demand, now: float
) -> Decision | tuple[Verdict, Record | None]:
    """The next step of a load test, or its verdict with the record of the run."""
    if run.job.exists and run.job.finished:
        verdict, facts = judge_run(run, demand)
        return verdict, _record(seen, run, demand, verdict, facts, now)
    not_ready = _not_ready(seen, run)
    if not_ready is not None and not_ready.kind == "Bad":
        return not_ready, None
    if not run.job.exists:
        if not_ready is not None:
            return Decision(with_stage(seen.status, "Feasibility", not_ready, now))
        return start(seen, run, "load test", now)
    waiting = wait(seen, run, "load test", now)
    if waiting is not None:
        return waiting
    verdict = Verdict("NoData", "JobFailed", f"the load generator: {plain(run.job.blocked)}")
    return verdict, _record(seen, run, demand, verdict, {}, now)


def _not_ready(seen: Observed, run: GateRun) -> Verdict | None:
    """Why the pods cannot be put under load: Bad if they fail by themselves; None if ready."""
    pods = seen.pods_of(run.candidate.short)
    scale, stable = run.accepted.spec.constraints.scale, seen.status.stable
    least = scale.replicas.min if scale and scale.replicas else 1
    if pods.blocked:
        return Verdict("NoData", pods.blocked_by, pods.blocked)
    if pods.ready == 0 and pods.down > 0 and stable and seen.pods_of(stable.short).down:
        return Verdict("Undecided", "StableFailing", "stable's pods fail as well")
    if (pods.ready == 0 and pods.down > 0) or (pods.ready < least and pods.deadline_exceeded):
        return Verdict("Bad", "CannotServe", pods.detail or "its pods never became ready")
    if not pods.in_sync or pods.ready < least:
        return Verdict("Undecided", "WaitingForPods", f"{pods.ready} of {least} pods ready")
    return None


def judge_run(run: GateRun, demand: Demand) -> tuple[Verdict, dict[str, str]]:
    """The verdict of the finished Job, and what it follows from, for the record."""
    job = run.job
    if not job.message:
        if job.succeeded:
            return Verdict("Undecided", "ReportMissing", "the load test left no report"), {}
        why = plain(job.reason or job.detail or "failed", 160)
        return Verdict("NoData", "JobFailed", f"the load test left no report: {why}"), {}
    if job.exit_code not in (None, 0):
        why = f"the load generator failed: {plain(job.message)}"
        return Verdict("NoData", "JobFailed", why), {}
    report = parse_load(
        job.message,
        revision=run.candidate.revision,
        nonce=run.nonce,
        plan=plan_of(run.accepted.spec, demand),
    )
    return (report, {}) if isinstance(report, Verdict) else judge_report(demand, report)


def judge_report(demand: Demand, report: LoadReport) -> tuple[Verdict, dict[str, str]]:
    """The report against the constraints, with the capacity and the replicas that follow."""
    lacking, counts = inconclusive(demand, report), report.counts
    facts = {"counts": counts.words() if counts else "not compared: the report tells none"}
    if report.bodies:
        facts["bodies"] = report.bodies
    if lacking is not None:
        return lacking, facts
    sizing = size(demand, report)
    facts |= {"capacity": f"{float(sizing.capacity):.6g}", "replicas": str(sizing.needed or 0)}
    if is_feasible(demand, sizing):
        agreed = f"; {counts.words()}" if counts and counts.seen is not None else ""
        message = why_feasible(demand, sizing, report) + agreed
        return Verdict("Good", "MeetsConstraints", message), facts
    why, binding = why_infeasible(demand, sizing, report), reasons(demand, sizing, report)
    suggestions = suggestion_text(demand, sizing, report)
    facts |= {"reasons": ", ".join(binding), "suggestions": suggestions}
    message = f"{why}; {suggestions}" if suggestions else why
    return Verdict("Bad", binding[0] if binding else "TooSlow", message), facts


def _record(
    seen: Observed,
    run: GateRun,
    demand: Demand,
    verdict: Verdict,
    facts: dict[str, str],
    now: float,
) -> Record:
    order = order_of(run.accepted.spec, demand, (), seen.tuning.counters)
    asked = {
        "rps": str(demand.rps),
        "headroom": str(demand.headroom),
        "replicas": f"{demand.replicas_min} to {demand.replicas_max}",
        "pricePerReplicaHour": "" if demand.price is None else str(demand.price),
        "plan": json.loads(order.dump()),
    }
    return job_record(seen, run, verdict, now, {"asked": json.dumps(asked, indent=1), **facts})
