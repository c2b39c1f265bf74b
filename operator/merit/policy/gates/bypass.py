"""The emergency bypass: while it is in force, the stages that it names are skipped, with an Event.

Status keeps it as it was first seen, so that one that lasts too long does not become acceptable by
waiting. A skipped stage is never recorded as passed.
"""

from __future__ import annotations

from dataclasses import replace

from merit.api.hashing import Identity
from merit.api.spec import MAX_BYPASS, Bypass, Spec
from merit.api.status import BypassSeen, Candidate, Stage, Status
from merit.policy.gates.ending import stage_record
from merit.policy.gates.retry_policy import next_attempt, passed_before
from merit.policy.outcomes.promote import promote
from merit.policy.state.capacity import pods_needed
from merit.policy.state.context import rollout_context
from merit.policy.state.decision import Decision, Note, Record, decisive
from merit.policy.state.observed import Observed
from merit.policy.state.times import seconds, stamp
from merit.policy.state.transitions import rejection, with_stage
from merit.policy.state.verdict import Verdict

SLACK = 60.0  # seconds: clocks differ, and a manifest takes a while to arrive


def bypassed_now(status: Status, now: float) -> tuple[Stage, ...]:
    """The stages that are skipped now."""
    known = status.bypass
    if known is None or known.state != "InForce" or seconds(known.expires) <= now:
        return ()
    return known.stages


def bypass_ends_in(status: Status, now: float) -> float | None:
    """Seconds until the bypass is over; None without one in force."""
    known = status.bypass
    if known is None or known.state != "InForce":
        return None
    return max(0.5, seconds(known.expires) - now)


def update_bypass(seen: Observed, now: float) -> Decision | None:
    """Status and an Event for a bypass that is new, taken out, or over."""
    if not isinstance(seen.declared.spec, Spec):
        return None
    declared, known = seen.declared.spec.bypass, seen.status.bypass
    if declared is None:
        return _over(seen, None, "spec.bypass was taken out", now) if known is not None else None
    if known is None or not _same(declared, known):
        return _new(seen, declared, now)
    if known.state == "InForce" and seconds(known.expires) <= now:
        over = known.model_copy(update={"state": "Over"})
        return _over(seen, over, f"it was to end at {known.expires}", now)
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
    if left > MAX_BYPASS + SLACK:
        state, word = "Refused", "BypassRefused"
        why = f"it would end at {until}, more than 24h ahead: nothing is skipped"
    elif left <= 0:
        state, word, why = "Over", "BypassOver", f"it has ended at {until}: nothing is skipped"
    else:
        state, word = "InForce", "Bypassed"
        why = f"{names} skipped until {until}: {declared.reason}"
    update = {"expires": until, "since": stamp(now), "state": state}
    first_seen = BypassSeen.model_validate(declared.model_dump() | update)
    status = seen.status.model_copy(update={"bypass": first_seen})
    note = Note(word, why, warning=word != "BypassOver")
    return decisive(status, f"bypass of {names}: {state}", why, now, note)


def _over(seen: Observed, bypass: BypassSeen | None, why: str, now: float) -> Decision:
    status = seen.status.model_copy(update={"bypass": bypass})
    return decisive(status, "the bypass is over", why, now, Note("BypassOver", why))


def lift_rejection(seen: Observed, now: float) -> Decision | None:
    """Content that a gate rejected may go on if the bypass names that gate; a rollback stays."""
    if seen.declared.identity is None or seen.status.candidate is not None:
        return None
    entry = rejection(seen.status, seen.declared.identity)
    if entry is None or entry.stage == "Rollout":
        return None
    if entry.stage not in bypassed_now(seen.status, now):
        return None
    kept = tuple(e for e in seen.status.rejected if e is not entry)
    status = seen.status.model_copy(update={"rejected": kept})
    what = f"{seen.declared.identity.short} is no longer rejected at {entry.stage}"
    why = _why(seen.status)
    return decisive(status, what, why, now, Note("Bypassed", f"{what}: {why}", warning=True))


def skip_stage(seen: Observed, now: float) -> Decision | None:
    """The candidate's stage is bypassed: on to the next, with a record that says so."""
    candidate, accepted = seen.status.candidate, seen.record(seen.status.candidate)
    if candidate is None or accepted is None or candidate.superseded:
        return None
    stage = candidate.flow_stage
    if stage not in bypassed_now(seen.status, now):
        return None
    if stage == "Rollout":
        return _promoted(seen, candidate, accepted.identity, now)
    if passed_before(seen.status, accepted, stage) is not None:
        return None  # passed under the same bars: there is nothing to skip
    record = _record(seen, candidate, accepted.identity, stage, now)
    skipped = Verdict("Undecided", "Bypassed", f"not run: {_why(seen.status)}")
    status = with_stage(seen.status, stage, skipped, now, record=record.name)
    onward = next_attempt(_marked(candidate, stage), now).model_copy(
        update={"stage": "Feasibility" if stage == "Evaluation" else "Rollout"}
    )
    status = status.model_copy(update={"candidate": onward, "analysis": None})
    what, why = f"{stage} of {candidate.short} is skipped", _why(seen.status)
    note = Note("Bypassed", f"{what}: {why}", warning=True)
    return decisive(status, what, why, now, note, actions=(record,))


def _promoted(
    seen: Observed, candidate: Candidate, identity: Identity, now: float
) -> Decision | None:
    """All traffic at once, as soon as enough pods are ready; until then as without a bypass."""
    context = rollout_context(seen)
    if context is None or candidate.stage == "Withdrawn" or seen.halted:
        return None
    if not context.pods.in_sync or context.pods.ready < pods_needed(context, 100):
        return None
    record = _record(seen, candidate, identity, "Rollout", now)
    marked = seen.status.model_copy(update={"candidate": _marked(candidate, "Rollout")})
    context = rollout_context(replace(seen, status=marked))
    assert context is not None
    why = _why(seen.status)
    decision = promote(context, f"the rollout is skipped: {why}", now)
    skipped = Verdict("Undecided", "Bypassed", f"not run: {why}")
    return Decision(
        with_stage(decision.status, "Rollout", skipped, now, record=record.name),
        actions=(record,),
        notes=(*decision.notes, Note("Bypassed", f"rollout skipped: {why}", warning=True)),
        decisive_status=True,
    )


def _marked(candidate: Candidate, stage: Stage) -> Candidate:
    return candidate.model_copy(update={"bypassed": (*candidate.bypassed, stage)})


def _why(status: Status) -> str:
    known = status.bypass
    return f"spec.bypass until {known.expires}, {known.reason}" if known else "spec.bypass"


def _record(
    seen: Observed, candidate: Candidate, identity: Identity, stage: Stage, now: float
) -> Record:
    known = seen.status.bypass
    assert known is not None
    verdict = Verdict("Undecided", "Bypassed", _why(seen.status))
    record = stage_record(seen, candidate, identity, stage, verdict, now)
    bypass = {"verdict": "Bypassed", "since": known.since, "expires": known.expires}
    return replace(record, content={**record.content, **bypass})
