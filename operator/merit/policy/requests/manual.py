"""Manual requests, by the tokens of `state.tokens`: abort, roll back, retry, approve, promote."""

from __future__ import annotations

from dataclasses import replace

from merit.api.spec import Spec
from merit.api.status import Candidate, Status
from merit.policy.gates.accept import with_new_candidate
from merit.policy.gates.retry_policy import next_attempt
from merit.policy.outcomes.promote import promote
from merit.policy.outcomes.roll_back import measured, roll_back_live
from merit.policy.rollout.judging import evidence_state
from merit.policy.rollout.raising import next_approval
from merit.policy.rollout.resume import started_again
from merit.policy.rollout.steps import enter_step
from merit.policy.state.capacity import pods_needed
from merit.policy.state.context import rollout_context
from merit.policy.state.decision import Accept, Decision, Note, all_to, decisive
from merit.policy.state.observed import Observed
from merit.policy.state.route_kind import by_pods
from merit.policy.state.tokens import Token, acknowledged, ignored, unhandled
from merit.policy.state.transitions import (
    predecessor,
    rejection,
    rejections,
    with_rejection,
    with_stage,
    without_candidate,
)
from merit.policy.state.verdict import Verdict


def abort(seen: Observed, now: float) -> Decision | None:
    """The candidate is rejected at whatever stage, though the spec be invalid or paused."""
    token = unhandled(seen, "abort")
    if token is None:
        return None
    candidate, accepted = seen.status.candidate, seen.record(seen.status.candidate)
    if candidate is None:
        return ignored(seen, token, "there is nothing to abort: no version is on its way", now)
    stage = candidate.flow_stage
    verdict = Verdict("Bad", "Aborted", f"aborted by hand: {token.text}")
    status = with_stage(acknowledged(seen.status, token), stage, verdict, now)
    if accepted is None:
        status = without_candidate(status, now)  # its record is lost, and with it what judged it
    else:
        context = rollout_context(seen)
        signals = measured(context, verdict, now) if context is not None else ()
        status = with_rejection(
            status, accepted.identity, stage, verdict, candidate.version, now, signals
        )
    weight = "" if candidate.at_gate else f" {candidate.weight}% -> 0%"
    what, back = f"{candidate.short}{weight}, aborted", all_to(seen.status.stable)
    note = Note("Aborted", f"version {candidate.version}: {verdict.message}", warning=True)
    return decisive(status, what, verdict.message, now, note, fallback=back, urgent=True)


def request_rollback(seen: Observed, now: float) -> Decision | None:
    """Stable is rejected; the newest promoted revision that is not rejected serves again."""
    token = unhandled(seen, "rollback")
    if token is None:
        return None
    status = seen.status
    if status.candidate is not None:
        why = f"version {status.candidate.version} is on its way: merit.dev/abort stops it"
        return ignored(seen, token, why, now)
    if status.stable is None:
        return ignored(seen, token, "nothing serves, so there is nothing to roll back", now)
    back = predecessor(status, seen.recorded.accepted)
    if back is None:
        why = "no earlier revision is on record that was promoted and is not rejected"
        return ignored(seen, token, why, now)
    verdict = Verdict("Bad", "RolledBackByHand", f"rolled back by hand: {token.text}")
    return roll_back_live(seen, acknowledged(status, token), back, verdict, now)


def retry(seen: Observed, now: float) -> Decision | None:
    """Declared content that was rejected, withdrawn or held is tried again."""
    token, identity = unhandled(seen, "retry"), seen.declared.identity
    if token is None or identity is None or not isinstance(seen.declared.spec, Spec):
        return None
    if not token.value.startswith(identity.short):
        return ignored(seen, token, f"declared is {identity.short}", now)
    candidate = seen.status.candidate
    if candidate is not None:
        if candidate.revision != identity.revision:
            return None  # the older candidate goes first
        return _retry_candidate(seen, candidate, token, now)
    entries = rejections(seen.status, identity)
    if not entries:
        return ignored(seen, token, f"{identity.short} is not rejected", now)
    if identity.key not in seen.recorded.accepted:
        return Decision(seen.status, actions=(Accept(),))
    kept = tuple(e for e in seen.status.rejected if e not in entries)
    gates = tuple(p for p in seen.status.passed if p.revision != identity.revision)
    forgotten = {"rejected": kept, "passed": gates}  # so that every gate runs again
    status = acknowledged(seen.status, token).model_copy(update=forgotten)
    count = max(e.retry for e in entries) + 1
    status = with_new_candidate(seen.declared.spec, identity, status, now, retry=count)
    return _retried(status, token, identity.short, f"rejected before: {entries[0].evidence}", now)


def _retry_candidate(seen: Observed, candidate: Candidate, token: Token, now: float) -> Decision:
    """A candidate that waits for a person: withdrawn for good, or held at a gate."""
    status = acknowledged(seen.status, token)
    if candidate.stage == "Withdrawn":
        status = started_again(status, candidate, token.text, now)
        return _retried(status, token, candidate.short, "it was withdrawn", now)
    flow = status.stage(candidate.stage)
    if not candidate.at_gate or flow is None:
        return ignored(seen, token, f"{candidate.short} is on its way", now)
    if flow.reason in ("EvaluationRunning", "FeasibilityRunning"):
        return ignored(seen, token, f"{candidate.short} is being judged: {flow.message}", now)
    retried = next_attempt(candidate, now).model_copy(update={"retry": candidate.retry + 1})
    kept = tuple(s for s in status.flow if s.stage != candidate.stage)
    status = status.model_copy(update={"candidate": retried, "flow": kept})
    return _retried(status, token, candidate.short, flow.message, now)


def _retried(status: Status, token: Token, short: str, why: str, now: float) -> Decision:
    what = f"{short} runs again"
    note = Note("Retried", f"{what}: {token.text}")
    return decisive(status, what, f"{token.text}; {why}", now, note)


def approve(seen: Observed, now: float) -> Decision | None:
    """The next step that `rollout.approvals` asks for may be entered, once it is proven."""
    token, identity = unhandled(seen, "approve"), seen.declared.identity
    if token is None or identity is None:
        return None
    candidate, accepted = seen.status.candidate, seen.record(seen.status.candidate)
    if candidate is None or candidate.revision != identity.revision:
        waits = token.value.startswith(identity.short) and _becomes_candidate(seen)
        return None if waits else ignored(seen, token, "no version of that name waits", now)
    if not token.value.startswith(candidate.short):
        return ignored(seen, token, f"the version on its way is {candidate.short}", now)
    level = next_approval(accepted, candidate) if accepted else None
    if level is None:
        return ignored(seen, token, f"no step of {candidate.short} waits for an approval", now)
    approved = candidate.model_copy(update={"approved": level})
    status = acknowledged(seen.status, token).model_copy(update={"candidate": approved})
    note = Note("Approved", f"version {candidate.version} up to {level}%: {token.text}")
    what = f"{candidate.short} approved up to {level}%"
    return decisive(status, what, token.text, now, note)


def _becomes_candidate(seen: Observed) -> bool:
    """Whether what is declared becomes the candidate in one of the next passes."""
    identity, stable = seen.declared.identity, seen.status.stable
    if identity is None or rejection(seen.status, identity) is not None:
        return False
    return stable is None or stable.revision != identity.revision


def promote_now(seen: Observed, now: float) -> Decision | None:
    """From a canary with traffic to the stable revision, whatever the evidence still lacks."""
    token = unhandled(seen, "promote")
    if token is None:
        return None
    context, candidate = rollout_context(seen), seen.status.candidate
    if candidate is None:
        return ignored(seen, token, "no version is on its way", now)
    if not token.value.startswith(candidate.short):
        return ignored(seen, token, f"the version on its way is {candidate.short}", now)
    if context is None or candidate.weight == 0:
        why = f"{candidate.short} has no traffic yet to be promoted from"
        return ignored(seen, token, why, now)
    if seen.halted:
        return None  # spec.paused holds it, or a defect of ours; the token waits
    if by_pods(seen) and candidate.weight < context.ladder[-1]:
        # Its pods are its share: the last step brings up those that serve all traffic.
        last = len(context.ladder) - 1
        return enter_step(context, evidence_state(context), last, token.text, now)
    if context.pods.ready < pods_needed(context, 100):
        return None  # capacity before weight; the token waits
    decision = promote(context, f"promoted by hand: {token.text}", now)
    return replace(decision, status=acknowledged(decision.status, token))
