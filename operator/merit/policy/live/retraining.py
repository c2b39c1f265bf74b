"""Retraining: when it is due, and that it happens once. Pure.

The run is written to status first, then the Job is made under a name that follows from the run's
number: after a crash between the two it is made later, and never twice. The model that the Job
makes is new content: it comes through Git and every gate. Nothing here touches `spec.model`.
"""

from __future__ import annotations

from dataclasses import dataclass

from merit.api.defaults import RETRAINS_PER_WEEK, effective
from merit.api.live_status import Retraining
from merit.api.names import job_name, run_id
from merit.api.spec import Spec
from merit.api.status import Condition, Signal, Status
from merit.policy.state.counted_signals import breach_text
from merit.policy.state.decision import Note, Retrain
from merit.policy.state.observed import JobRun, Observed
from merit.policy.state.responses import effects
from merit.policy.state.times import age, seconds, stamp
from merit.policy.state.transitions import with_decision

WEEK = 7 * 86400.0
OPEN = ("Starting", "Running")


@dataclass(frozen=True, slots=True)
class RetrainingStep:
    """What a pass adds about retraining: status, what to make, Events."""

    status: Status
    actions: tuple[Retrain, ...] = ()
    notes: tuple[Note, ...] = ()


def retraining(seen: Observed, status: Status, now: float) -> RetrainingStep:
    """Follow the run that is open, or begin the next one if it is due."""
    run = status.retrain
    if run is not None and run.outcome in OPEN:
        return _follow(seen, status, run, now)
    signal = retrain_signal(seen, status)
    if signal is None or not _may_begin(seen, status) or earliest_next_run(seen, status, now):
        return RetrainingStep(status)
    return _begin(seen, status, signal, now)


def retrain_signal(seen: Observed, status: Status) -> Signal | None:
    """The first bad signal of what serves whose response is Retrain, if there is one."""
    accepted, spec = seen.record(status.stable), seen.declared.spec
    if accepted is None or not isinstance(spec, Spec) or spec.retrain is None:
        return None
    bad = (s for s in status.signals if s.verdict == "Bad")
    return next((s for s in bad if effects(accepted.spec, s.name, "live").retrains), None)


def earliest_next_run(seen: Observed, status: Status, now: float) -> str:
    """The time before which no further run may begin; empty if one may begin now."""
    run, spec = status.retrain, seen.declared.spec
    if run is None or not run.begun or not isinstance(spec, Spec):
        return ""
    begun = run.begun
    earliest = [seconds(begun[0]) + effective(spec).retrain_cooldown]
    if len(begun) >= RETRAINS_PER_WEEK:
        earliest.append(seconds(begun[RETRAINS_PER_WEEK - 1]) + WEEK)
    return stamp(max(earliest)) if max(earliest) > now else ""


def retraining_condition(seen: Observed, status: Status, now: float) -> Condition | None:
    """The condition `Retraining`; None for an object that never needed it."""
    run, signal = status.retrain, retrain_signal(seen, status)
    until = earliest_next_run(seen, status, now)
    if run is not None and run.outcome in OPEN:
        word, reason = ("False", run.reason) if run.reason else ("True", "Retraining")
        return _condition(word, reason, run.message or f"Job {run.job}: {run.signal}")
    if signal is not None and until:
        last = f"; the last run: {run.outcome}" if run else ""
        why = f"{signal.name} needs it; not before {until}{last}"
        return _condition("False", "RetrainWaits", why)
    if run is None:
        return None
    words = {"Succeeded": "Retrained", "Failed": "RetrainFailed", "Cancelled": "RetrainCancelled"}
    return _condition("False", words[run.outcome], run.message)


def _condition(word: str, reason: str, message: str) -> Condition:
    return Condition.model_validate(
        {"type": "Retraining", "status": word, "reason": reason, "message": message[:1024]}
    )


def _may_begin(seen: Observed, status: Status) -> bool:
    """Not with a candidate (it may be the answer), when paused, in a comparison or an incident."""
    busy = status.candidate is not None or status.comparison is not None
    return not busy and not seen.halted and not seen.incident


def _begin(seen: Observed, status: Status, signal: Signal, now: float) -> RetrainingStep:
    stable, old = status.stable, status.retrain
    assert stable is not None
    number = old.run + 1 if old else 1
    name = job_name(seen.name, stable.short, "retrain", run_id(seen.uid, "", "retrain", number))
    at = stamp(now)
    run = Retraining(
        run=number,
        job=name,
        signal=signal.name,
        why=breach_text(signal),
        since=stable.promoted_at,
        until=at,
        at=at,
        outcome="Starting",
        begun=(at, *(old.begun if old else ()))[:RETRAINS_PER_WEEK],
    )
    status = status.model_copy(update={"retrain": run})
    note = Note("Retraining", f"run {number}, Job {name}: {run.why}")
    status = with_decision(status, f"retraining, run {number}", run.why, now)
    return RetrainingStep(status, notes=(note,))


def _follow(seen: Observed, status: Status, run: Retraining, now: float) -> RetrainingStep:
    job = seen.jobs.training or JobRun(name=run.job)
    if job.exists and job.finished:
        code = "" if job.exit_code is None else f" (exit code {job.exit_code})"
        end = " succeeded" if job.succeeded else f": {job.reason or 'failed'}{code}"
        return _ended(status, run, f"Job {run.job}{end}", now, failed=not job.succeeded)
    if job.exists:
        runs = f"Job {run.job} runs"
        return RetrainingStep(_with(status, run, outcome="Running", reason="", message=runs))
    if run.outcome == "Running":
        lost = f"Job {run.job} was deleted before it had ended"
        return _ended(status, run, lost, now, failed=True)
    # A problem with the recorded template or CronJob is looked at again after a while.
    if retrain_signal(seen, status) is None:
        return RetrainingStep(_cancelled(status, run, now))
    if seen.jobs.training_problem is not None:
        reason, words = seen.jobs.training_problem
        note = Note(reason, f"run {run.run}: {words}", warning=True)
        notes = (note,) if run.reason != reason else ()
        return RetrainingStep(_with(status, run, reason=reason, message=words), notes=notes)
    if seen.status.retrain != run:
        return RetrainingStep(status)  # the run is not on record yet
    return RetrainingStep(status, actions=(Retrain(run),))


def _ended(
    status: Status, run: Retraining, why: str, now: float, *, failed: bool
) -> RetrainingStep:
    outcome, event = ("Failed", "RetrainFailed") if failed else ("Succeeded", "Retrained")
    status = _with(status, run, outcome=outcome, message=why, ended=stamp(now), reason="")
    what = f"retraining, run {run.run} {'failed' if failed else 'ended'}"
    note = Note(event, f"run {run.run}: {why}", warning=failed)
    return RetrainingStep(with_decision(status, what, why, now), notes=(note,))


def _cancelled(status: Status, run: Retraining, now: float) -> Status:
    """A run that never began counts neither for the cooldown nor for the week."""
    why, begun, at = f"{run.signal} no longer needs it", run.begun[1:], stamp(now)
    return _with(status, run, outcome="Cancelled", message=why, ended=at, begun=begun, reason="")


def _with(status: Status, run: Retraining, **update: object) -> Status:
    changed = run.model_copy(update=update)
    return status.model_copy(update={"retrain": changed}) if changed != run else status


def overdue(run: Retraining, now: float) -> bool:
    """Whether a run could not begin for so long that its owner gets an alert."""
    return run.outcome == "Starting" and bool(run.reason) and age(run.at, now) > 60.0
