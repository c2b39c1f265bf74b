"""The emergency exit: while a bypass is in force, the stages that it names are skipped, aloud.

What it was first seen with stands in status, so that one with too long a life does not become
acceptable by waiting. Once skipped, a stage is behind the candidate; what was skipped is never
remembered as passed.
"""

from __future__ import annotations

from dataclasses import replace

import merit
from merit.api.bypass import LONGEST, Bypass
from merit.api.hashing import Identity
from merit.api.names import job_name, run_id
from merit.api.spec import Spec
from merit.api.status import BypassSeen, Candidate, Stage, Status
from merit.policy.canary.capacity import pods_needed
from merit.policy.canary.case import case_of
from merit.policy.canary.outcome import promote
from merit.policy.decision import Decision, Note, Record
from merit.policy.gates.passed import passed_before
from merit.policy.gates.run import candidate_spec
from merit.policy.gates.runs import again
from merit.policy.observed import Observed
from merit.policy.remember import decided, rejection, told
from merit.policy.times import seconds, stamp
from merit.policy.verdict import Verdict

SLACK = 60.0  # seconds: clocks differ, and a manifest takes its way


def declared_bypass(seen: Observed) -> Bypass | None:
    """What the spec says; an invalid spec says nothing."""
    return seen.spec.bypass if isinstance(seen.spec, Spec) else None


def in_force(status: Status, now: float) -> tuple[Stage, ...]:
    """The stages that are skipped now."""
    known = status.bypass
    if known is None or known.state != "InForce" or seconds(known.expires) <= now:
        return ()
    return known.stages


def ends_in(status: Status, now: float) -> float | None:
    """Seconds until the bypass is over; None without one in force."""
    known = status.bypass
    if known is None or known.state != "InForce":
        return None
    return max(0.5, seconds(known.expires) - now)


def see_bypass(seen: Observed, now: float) -> Decision | None:
    """A bypass that is new, gone or over: status tells, and an Event."""
    declared, known = declared_bypass(seen), seen.status.bypass
    if not isinstance(seen.spec, Spec):
        return None
    if declared is None:
        return _gone(seen, now) if known is not None else None
    if known is None or not _same(declared, known):
        return _new(seen, declared, now)
    if known.state == "InForce" and seconds(known.expires) <= now:
        over = known.model_copy(update={"state": "Over"})
        why = f"it was to end at {known.expires}"
        status = seen.status.model_copy(update={"bypass": over})
        return _said(decided(status, "the bypass is over", why, now), "BypassOver", why)
    return None


def _same(declared: Bypass, known: BypassSeen) -> bool:
    return (declared.stages, declared.reason, stamp(declared.expires)) == (
        known.stages,
        known.reason,
        known.expires,
    )


def _new(seen: Observed, declared: Bypass, now: float) -> Decision:
    left, until = declared.expires - now, stamp(declared.expires)
    names = ", ".join(declared.stages)
    if left > LONGEST + SLACK:
        state, word = "Refused", "BypassRefused"
        why = f"it would end at {until}, more than 24h ahead: nothing is skipped"
    elif left <= 0:
        state, word, why = "Over", "BypassOver", f"it has ended at {until}: nothing is skipped"
    else:
        state, word = "InForce", "Bypassed"
        why = f"{names} skipped until {until}: {declared.reason}"
    found = BypassSeen.model_validate(
        {
            "stages": declared.stages,
            "reason": declared.reason,
            "expires": until,
            "since": stamp(now),
            "state": state,
        }
    )
    status = seen.status.model_copy(update={"bypass": found})
    return _said(decided(status, f"bypass of {names}: {state}", why, now), word, why)


def _gone(seen: Observed, now: float) -> Decision:
    status = seen.status.model_copy(update={"bypass": None})
    why = "spec.bypass was taken out"
    return _said(decided(status, "the bypass is over", why, now), "BypassOver", why)


def _said(status: Status, reason: str, message: str) -> Decision:
    warning = reason != "BypassOver"
    return Decision(status, notes=(Note(reason, message, warning=warning),), decisive_status=True)


def lift(seen: Observed, now: float) -> Decision | None:
    """What a gate rejected may go on if the bypass names that gate. A rollback is not undone so."""
    if seen.identity is None or seen.status.candidate is not None:
        return None
    entry = rejection(seen.status, seen.identity)
    if entry is None or entry.stage == "Rollout" or entry.stage not in in_force(seen.status, now):
        return None
    kept = tuple(e for e in seen.status.rejected if e is not entry)
    status = seen.status.model_copy(update={"rejected": kept})
    what = f"{seen.identity.short} is no longer rejected at {entry.stage}"
    why = _why(seen.status)
    return Decision(
        decided(status, what, why, now),
        notes=(Note("Bypassed", f"{what}: {why}", warning=True),),
        decisive_status=True,
    )


def skip(seen: Observed, now: float) -> Decision | None:
    """The candidate's stage is bypassed: on to the next, with a record that says so."""
    candidate, accepted = seen.status.candidate, candidate_spec(seen)
    if candidate is None or accepted is None or candidate.superseded:
        return None
    stage = _stage(candidate)
    if stage not in in_force(seen.status, now):
        return None
    if stage == "Rollout":
        return _promoted(seen, candidate, accepted.identity, now)
    if passed_before(seen.status, accepted.identity, stage) is not None:
        return None  # nothing needs to be skipped
    record = _record(seen, candidate, accepted.identity, stage, now)
    skipped = Verdict("Undecided", "Bypassed", f"not run: {_why(seen.status)}")
    status = told(seen.status, stage, skipped, now, record=record.name)
    onward = again(_marked(candidate, stage), now).model_copy(
        update={"stage": "Feasibility" if stage == "Evaluation" else "Rollout"}
    )
    status = status.model_copy(update={"candidate": onward, "analysis": None})
    what = f"{stage} of {candidate.short} is skipped"
    return Decision(
        decided(status, what, _why(seen.status), now),
        actions=(record,),
        notes=(Note("Bypassed", f"{what}: {_why(seen.status)}", warning=True),),
        decisive_status=True,
    )


def _promoted(
    seen: Observed, candidate: Candidate, identity: Identity, now: float
) -> Decision | None:
    """Straight to all traffic, once there are ready pods for it; until then as without a bypass."""
    case = case_of(seen)
    if case is None or candidate.stage == "Withdrawn":
        return None
    paused = isinstance(seen.spec, Spec) and seen.spec.paused
    if paused or not case.arm.in_sync or case.arm.ready < pods_needed(case, 100):
        return None
    record = _record(seen, candidate, identity, "Rollout", now)
    marked = seen.status.model_copy(update={"candidate": _marked(candidate, "Rollout")})
    case = case_of(replace(seen, status=marked))
    assert case is not None
    why = _why(seen.status)
    decision = promote(case, f"the rollout is skipped: {why}", now)
    skipped = Verdict("Undecided", "Bypassed", f"not run: {why}")
    return Decision(
        told(decision.status, "Rollout", skipped, now, record=record.name),
        actions=(record,),
        notes=(*decision.notes, Note("Bypassed", f"rollout skipped: {why}", warning=True)),
        decisive_status=True,
    )


def _stage(candidate: Candidate) -> Stage:
    if candidate.stage == "Evaluation" or candidate.stage == "Feasibility":
        return candidate.stage
    return "Rollout"


def _marked(candidate: Candidate, stage: Stage) -> Candidate:
    return candidate.model_copy(update={"bypassed": (*candidate.bypassed, stage)})


def _why(status: Status) -> str:
    known = status.bypass
    return f"spec.bypass until {known.expires}, {known.reason}" if known else "spec.bypass"


def _record(
    seen: Observed, candidate: Candidate, identity: Identity, stage: Stage, now: float
) -> Record:
    policy = identity.stage_policy(stage)
    run = run_id(seen.uid, candidate.revision, policy, candidate.run)
    known = seen.status.bypass
    assert known is not None
    return Record(
        name=job_name(seen.name, candidate.short, stage, run),
        job="",
        content={
            "stage": stage,
            "revision": candidate.revision,
            "version": candidate.version,
            "policy": policy,
            "attempt": str(candidate.attempt),
            "verdict": "Bypassed",
            "reason": "Bypassed",
            "message": _why(seen.status),
            "since": known.since,
            "expires": known.expires,
            "merit": merit.__version__,
            "at": stamp(now),
        },
    )
