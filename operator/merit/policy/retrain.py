"""Retraining: when it is due, and that it happens once. Pure.

The intent is written to status first and the Job is made after it, under a name that follows from
the run's number: a crash between the two makes it later, and never twice. What the Job makes comes
back as new content through Git and every gate; nothing here touches `spec.model`.
"""

from __future__ import annotations

from dataclasses import dataclass

from merit.api.defaults import RETRAINS_PER_WEEK, effective
from merit.api.names import job_name, run_id
from merit.api.spec import Spec
from merit.api.status import Condition, Signal, Status
from merit.api.watched import Retraining
from merit.policy.decision import Note, Retrain
from merit.policy.observed import JobRun, Observed
from merit.policy.remember import decided
from merit.policy.responses import effects
from merit.policy.signals import breach
from merit.policy.times import age, seconds, stamp

WEEK = 7 * 86400.0
OPEN = ("Starting", "Running")


@dataclass(frozen=True, slots=True)
class Step:
    """What a pass adds about retraining: status, what to make, Events."""

    status: Status
    actions: tuple[Retrain, ...] = ()
    notes: tuple[Note, ...] = ()


def retraining(seen: Observed, status: Status, now: float) -> Step:
    """Follow the run that is open, or begin the next one if it is due."""
    run = status.retrain
    if run is not None and run.outcome in OPEN:
        return _follow(seen, status, run, now)
    asking = asks(seen, status)
    if asking is None or not _may_begin(seen, status) or waits_until(seen, status, now):
        return Step(status)
    return _begin(seen, status, asking, now)


def asks(seen: Observed, status: Status) -> Signal | None:
    """The signal of what serves that asks for training now, if any does."""
    stable = status.stable
    accepted = seen.accepted.get(f"{stable.short}-{stable.policy}") if stable else None
    if accepted is None or not isinstance(seen.spec, Spec) or seen.spec.retrain is None:
        return None
    bad = (s for s in status.signals if s.verdict == "Bad")
    return next((s for s in bad if effects(accepted.spec, s.name, "live").retrains), None)


def waits_until(seen: Observed, status: Status, now: float) -> str:
    """The time before which no further run may begin; empty if one may begin now."""
    run = status.retrain
    if run is None or not isinstance(seen.spec, Spec):
        return ""
    begun = run.begun
    if not begun:
        return ""
    earliest = [seconds(begun[0]) + effective(seen.spec).retrain_cooldown]
    if len(begun) >= RETRAINS_PER_WEEK:
        earliest.append(seconds(begun[RETRAINS_PER_WEEK - 1]) + WEEK)
    return stamp(max(earliest)) if max(earliest) > now else ""


def condition_of(seen: Observed, status: Status, now: float) -> Condition | None:
    """The condition `Retraining`; None for an object that has nothing to say about it."""
    run = status.retrain
    asking = asks(seen, status)
    until = waits_until(seen, status, now)
    if run is not None and run.outcome in OPEN:
        word, reason = ("False", run.reason) if run.reason else ("True", "Retraining")
        return _condition(word, reason, run.message or f"Job {run.job}: {run.signal}")
    if asking is not None and until:
        last = f"; the last run: {run.outcome}" if run else ""
        said = f"{asking.name} asks for it; not before {until}{last}"
        return _condition("False", "RetrainWaits", said)
    if run is None:
        return None
    words = {
        "Succeeded": "Retrained",
        "Failed": "RetrainFailed",
        "Cancelled": "RetrainCancelled",
    }
    return _condition("False", words[run.outcome], run.message)


def _condition(word: str, reason: str, message: str) -> Condition:
    return Condition.model_validate(
        {"type": "Retraining", "status": word, "reason": reason, "message": message[:1024]}
    )


def _may_begin(seen: Observed, status: Status) -> bool:
    """Not while a candidate is on its way (it may be the answer), held, or being compared."""
    held = isinstance(seen.spec, Spec) and seen.spec.paused
    return status.candidate is None and status.verifying is None and not held and not seen.incident


def _begin(seen: Observed, status: Status, signal: Signal, now: float) -> Step:
    stable, old = status.stable, status.retrain
    assert stable is not None
    number = old.run + 1 if old else 1
    name = job_name(seen.name, stable.short, "retrain", run_id(seen.uid, "", "retrain", number))
    at = stamp(now)
    run = Retraining(
        run=number,
        job=name,
        signal=signal.name,
        why=breach(signal),
        since=stable.promoted_at,
        until=at,
        at=at,
        outcome="Starting",
        begun=(at, *(old.begun if old else ()))[:RETRAINS_PER_WEEK],
    )
    status = status.model_copy(update={"retrain": run})
    note = Note("Retraining", f"run {number}, Job {name}: {run.why}")
    return Step(decided(status, f"retraining, run {number}", run.why, now), notes=(note,))


def _follow(seen: Observed, status: Status, run: Retraining, now: float) -> Step:
    job = seen.training or JobRun(name=run.job)
    if job.exists and job.finished:
        return _ended(status, run, job, now)
    if job.exists:
        return Step(_with(status, run, outcome="Running", reason="", message=f"Job {run.job} runs"))
    if run.outcome == "Running":
        lost = f"Job {run.job} went before it had ended"
        return _failed(status, run, lost, now)
    # A problem with the recorded template or CronJob is looked at again after a while.
    if asks(seen, status) is None:
        return Step(_cancelled(status, run, now))
    if seen.training_problem is not None:
        reason, words = seen.training_problem
        told = Note(reason, f"run {run.run}: {words}", warning=True)
        notes = (told,) if run.reason != reason else ()
        return Step(_with(status, run, reason=reason, message=words), notes=notes)
    if seen.status.retrain != run:
        return Step(status)  # the intent is not on record yet
    return Step(status, actions=(Retrain(run),))


def _ended(status: Status, run: Retraining, job: JobRun, now: float) -> Step:
    if not job.succeeded:
        why = job.reason or "failed"
        code = "" if job.exit_code is None else f" (exit code {job.exit_code})"
        return _failed(status, run, f"Job {run.job}: {why}{code}", now)
    said = f"Job {run.job} ended well"
    status = _with(status, run, outcome="Succeeded", message=said, ended=stamp(now), reason="")
    return Step(
        decided(status, f"retraining, run {run.run} ended", said, now),
        notes=(Note("Retrained", f"run {run.run}: {said}"),),
    )


def _failed(status: Status, run: Retraining, why: str, now: float) -> Step:
    status = _with(status, run, outcome="Failed", message=why, ended=stamp(now), reason="")
    return Step(
        decided(status, f"retraining, run {run.run} failed", why, now),
        notes=(Note("RetrainFailed", f"run {run.run}: {why}", warning=True),),
    )


def _cancelled(status: Status, run: Retraining, now: float) -> Status:
    """What never began is no run: it counts neither for the cooldown nor for the week."""
    said, begun, at = f"{run.signal} asks for it no more", run.begun[1:], stamp(now)
    return _with(status, run, outcome="Cancelled", message=said, ended=at, begun=begun, reason="")


def _with(status: Status, run: Retraining, **update: object) -> Status:
    changed = run.model_copy(update=update)
    return status.model_copy(update={"retrain": changed}) if changed != run else status


def overdue(run: Retraining, now: float) -> bool:
    """Whether a run could not begin for so long that somebody should know."""
    return run.outcome == "Starting" and bool(run.reason) and age(run.at, now) > 60.0
