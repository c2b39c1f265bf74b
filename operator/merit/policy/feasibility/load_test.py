"""Gate 2 under load: pods up, ready, one Job, one verdict. No user's request comes near them."""

from __future__ import annotations

import json

import merit
from merit.api.quantity import format_duration
from merit.policy.decision import Decision, Note, Record, RunJob
from merit.policy.evaluation.strict import LIMIT, plain
from merit.policy.feasibility.demand import Demand
from merit.policy.feasibility.load_report import LoadReport, parse_load
from merit.policy.feasibility.load_run import order_of, plan_of
from merit.policy.feasibility.sizing import falls_short, is_feasible, meets, reasons, size, unsure
from merit.policy.feasibility.suggestions import words
from merit.policy.gates.run import Run
from merit.policy.gates.runs import PULL_PATIENCE, again, backs_off, follows
from merit.policy.observed import Arm, JobRun, Observed
from merit.policy.remember import decided, told
from merit.policy.times import age, stamp
from merit.policy.verdict import Verdict


def not_up(seen: Observed, run: Run) -> Verdict | None:
    """Why the pods cannot be put under load: Bad if it is their own fault; None if they are up."""
    arm = seen.arms.get(run.candidate.short, Arm(run.candidate.short))
    wanted = run.accepted.spec.constraints.scale
    least = wanted.replicas.min if wanted and wanted.replicas else 1
    stable = seen.status.stable
    sick = seen.arms.get(stable.short, Arm(stable.short)).down if stable else 0
    if arm.blocked:
        return Verdict("NoData", arm.blocked_by, arm.blocked)
    if arm.ready == 0 and arm.down > 0 and sick:
        return Verdict("Undecided", "StableFailing", "stable's pods fail as well")
    if (arm.ready == 0 and arm.down > 0) or (arm.ready < least and arm.deadline_exceeded):
        return Verdict("Bad", "CannotServe", arm.detail or "its pods never became ready")
    if not arm.in_sync or arm.ready < least:
        return Verdict("Undecided", "WaitingForPods", f"{arm.ready} of {least} pods ready")
    return None


def put_under_load(
    seen: Observed, run: Run, demand: Demand, now: float
) -> Decision | tuple[Verdict, Record | None]:
    """The next move of a load test, or its verdict with the record of the run."""
    job = seen.job if seen.job and seen.job.name == run.job else JobRun(name=run.job)
    if job.exists and job.finished:
        verdict, facts = judged(job, run, demand)
        return verdict, _record(seen, run, job, demand, verdict, facts, now)
    waits = not_up(seen, run)
    if waits is not None and waits.kind == "Bad":
        return waits, None
    if not job.exists:
        if waits is not None:
            return Decision(told(seen.status, "Feasibility", waits, now))
        return _start(seen, run, now)
    if job.blocked_by == "ImagePull" and age(job.created, now) > PULL_PATIENCE:
        failed = Verdict("NoData", "JobFailed", f"the load generator: {plain(job.blocked)}")
        return failed, _record(seen, run, job, demand, failed, {}, now)
    state = f"waits: {plain(job.blocked)}" if job.blocked else "runs"
    running = Verdict("Undecided", "FeasibilityRunning", f"load test {run.job} {state}")
    patience = PULL_PATIENCE if job.blocked_by == "ImagePull" else None
    return Decision(told(seen.status, "Feasibility", running, now), again=patience)


def _start(seen: Observed, run: Run, now: float) -> Decision:
    left = backs_off(seen.status, run.candidate, now)
    if left is not None:
        return Decision(seen.status, again=left)
    running = Verdict("Undecided", "FeasibilityRunning", f"load test {run.job} starts")
    action = RunJob(
        key=run.accepted.identity.key, stage="Feasibility", name=run.job, nonce=run.nonce
    )
    return Decision(told(seen.status, "Feasibility", running, now), actions=(action,))


def judged(job: JobRun, run: Run, demand: Demand) -> tuple[Verdict, dict[str, str]]:
    """What the finished Job says, and what the record keeps of how it came about."""
    if not job.message:
        if job.succeeded:
            return Verdict("Undecided", "ReportMissing", "the load test left no report"), {}
        why = plain(job.reason or job.detail or "failed", 160)
        return Verdict("NoData", "JobFailed", f"the load test left no report: {why}"), {}
    if job.exit_code not in (None, 0):
        said = plain(job.message)
        return Verdict("NoData", "JobFailed", f"the load generator failed: {said}"), {}
    report = parse_load(
        job.message,
        revision=run.candidate.revision,
        nonce=run.nonce,
        plan=plan_of(run.accepted.spec, demand),
    )
    if isinstance(report, Verdict):
        return report, {}
    return weigh(demand, report)


def weigh(demand: Demand, report: LoadReport) -> tuple[Verdict, dict[str, str]]:
    """The report against the constraints, with the capacity and the replicas that follow."""
    lacking, counts = unsure(demand, report), report.counts
    facts = {"counts": counts.words() if counts else "not compared: the report tells none"}
    if report.bodies:
        facts["bodies"] = report.bodies
    if lacking is not None:
        return lacking, facts
    sizing = size(demand, report)
    facts |= {
        "capacity": f"{float(sizing.capacity):.6g}",
        "replicas": str(sizing.needed or 0),
    }
    if is_feasible(demand, sizing):
        agreed = f"; {counts.words()}" if counts and counts.seen is not None else ""
        return Verdict("Good", "MeetsConstraints", meets(demand, sizing, report) + agreed), facts
    binding = reasons(demand, sizing, report)
    helps = words(demand, sizing, report)
    said = falls_short(demand, sizing, report)
    message = f"{said}; {helps}" if helps else said
    facts |= {"reasons": ", ".join(binding), "suggestions": helps}
    return Verdict("Bad", binding[0] if binding else "TooSlow", message), facts


def again_or_held(
    seen: Observed, run: Run, verdict: Verdict, record: Record | None, now: float
) -> Decision:
    """No verdict on the model: another run after a while, or a person has to act."""
    candidate, said = run.candidate, verdict.message
    wait = follows(candidate, verdict)
    version = f"version {candidate.version}: {said}"
    if wait is None:
        another = candidate.model_copy(update={"held": True})
        what = f"{candidate.short} is held at the feasibility gate"
        note = Note(verdict.reason, f"held at the feasibility gate, {version}", warning=True)
    else:
        when = f"in {format_duration(wait)}" if wait else "at once"
        verdict = Verdict(verdict.kind, verdict.reason, f"{said}; runs again {when}")
        another = again(candidate, now, failures=candidate.failures + 1)
        what = f"the load test of {candidate.short} runs again {when}"
        note = Note(verdict.reason, f"the load test runs again {when}, {version}", warning=True)
    status = told(seen.status, "Feasibility", verdict, now, record=record.name if record else "")
    status = status.model_copy(update={"candidate": another})
    return Decision(
        decided(status, what, said, now),
        actions=(record,) if record else (),
        notes=(note,),
        decisive_status=True,
    )


def _record(
    seen: Observed,
    run: Run,
    job: JobRun,
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
    content = {
        "stage": "Feasibility",
        "revision": run.candidate.revision,
        "version": run.candidate.version,
        "policy": run.accepted.identity.feasibility,
        "attempt": str(run.candidate.attempt),
        "nonce": run.nonce,
        "verdict": verdict.kind,
        "reason": verdict.reason,
        "message": verdict.message,
        "report": (job.message or "")[: 2 * LIMIT],
        "asked": json.dumps(asked, indent=1),
        "images": "\n".join(job.images),
        "started": job.started,
        "ended": job.ended or stamp(now),
        "merit": merit.__version__,
        "at": stamp(now),
    }
    return Record(name=run.job, job=run.job, content={**content, **facts})
