"""What people ask for by a token, and what comes of it: see `tokens` for what a token is."""

from __future__ import annotations

from dataclasses import replace

from merit.api.spec import Spec
from merit.api.status import Candidate, Status
from merit.policy.accept import new_candidate
from merit.policy.canary.capacity import pods_needed
from merit.policy.canary.case import analysis_of, case_of
from merit.policy.canary.inconclusive import started_again
from merit.policy.canary.outcome import all_to, promote, returned
from merit.policy.canary.raising import next_approval
from merit.policy.canary.rollout import enter_step
from merit.policy.decision import Accept, Decision, Note
from merit.policy.gates.run import candidate_spec
from merit.policy.gates.runs import again
from merit.policy.observed import Observed
from merit.policy.people.tokens import Token, acknowledged, fresh, ignored
from merit.policy.remember import decided, dropped, predecessor, reject, rejection, told
from merit.policy.standing.routes import by_pods
from merit.policy.verdict import Verdict


def abort(seen: Observed, now: float) -> Decision | None:
    """The version on its way is rejected, wherever it stands: above an invalid spec, pause, all."""
    token = fresh(seen, "abort")
    if token is None:
        return None
    candidate, accepted = seen.status.candidate, candidate_spec(seen)
    if candidate is None:
        return ignored(seen, token, "there is nothing to abort: no version is on its way", now)
    gate = candidate.stage in ("Evaluation", "Feasibility")
    stage = candidate.stage if candidate.stage in ("Evaluation", "Feasibility") else "Rollout"
    verdict = Verdict("Bad", "Aborted", f"aborted by hand: {token.said}")
    status = told(acknowledged(seen.status, token), stage, verdict, now)
    if accepted is None:
        status = dropped(status, now)  # its record is gone: nothing tells what judged it
    else:
        status = reject(status, accepted.identity, stage, verdict, candidate.version, now)
    moved = "" if gate else f" {candidate.weight}% -> 0%"
    return Decision(
        decided(status, f"{candidate.short}{moved}, aborted", verdict.message, now),
        notes=(Note("Aborted", f"version {candidate.version}: {verdict.message}", warning=True),),
        decisive_status=True,
        fallback=all_to(seen.status.stable),
        urgent=True,
    )


def roll_back_live(seen: Observed, now: float) -> Decision | None:
    """What is live is rejected; the newest promoted revision that is not rejected serves again."""
    token = fresh(seen, "rollback")
    if token is None:
        return None
    status = seen.status
    if status.candidate is not None:
        why = f"version {status.candidate.version} is on its way: merit.dev/abort stops it"
        return ignored(seen, token, why, now)
    if status.stable is None:
        return ignored(seen, token, "nothing serves, so there is nothing to roll back", now)
    back = predecessor(status, seen.accepted)
    if back is None:
        why = "no earlier revision is on record that was promoted and is not rejected"
        return ignored(seen, token, why, now)
    verdict = Verdict("Bad", "RolledBackByHand", f"rolled back by hand: {token.said}")
    return returned(seen, acknowledged(status, token), back, verdict, now)


def retry(seen: Observed, now: float) -> Decision | None:
    """Declared content that was rejected, withdrawn or given up runs again, from the first gate."""
    token, identity = fresh(seen, "retry"), seen.identity
    if token is None or identity is None or not isinstance(seen.spec, Spec):
        return None
    if not token.value.startswith(identity.short):
        return ignored(seen, token, f"declared is {identity.short}", now)
    candidate = seen.status.candidate
    if candidate is not None:
        if candidate.revision != identity.revision:
            return None  # it is on its way out; then it is this one's turn
        return _again(seen, candidate, token, now)
    entries = [
        e
        for e in seen.status.rejected
        if e.revision == identity.revision and e.policy == identity.stage_policy(e.stage)
    ]
    if not entries:
        return ignored(seen, token, f"{identity.short} is not rejected", now)
    if identity.key not in seen.accepted:
        return Decision(seen.status, actions=(Accept(),))
    kept = tuple(e for e in seen.status.rejected if e not in entries)
    gates = tuple(p for p in seen.status.passed if p.revision != identity.revision)
    forgotten = {"rejected": kept, "passed": gates}  # every gate is run again
    status = acknowledged(seen.status, token).model_copy(update=forgotten)
    number = max(e.retry for e in entries) + 1
    status = new_candidate(seen.spec, identity, status, now, retry=number)
    return _retried(status, token, identity.short, f"rejected before: {entries[0].evidence}", now)


def _again(seen: Observed, candidate: Candidate, token: Token, now: float) -> Decision:
    """A candidate that waits for somebody: withdrawn for good, or a gate that gave up."""
    status = acknowledged(seen.status, token)
    if candidate.stage == "Withdrawn":
        status = started_again(status, candidate, token.said, now)
        return _retried(status, token, candidate.short, "it was withdrawn", now)
    flow = next((s for s in status.flow if s.stage == candidate.stage), None)
    if candidate.stage not in ("Evaluation", "Feasibility") or flow is None:
        return ignored(seen, token, f"{candidate.short} is on its way", now)
    if flow.reason in ("EvaluationRunning", "FeasibilityRunning"):
        return ignored(seen, token, f"{candidate.short} is being judged: {flow.message}", now)
    anew = again(candidate, now).model_copy(update={"retry": candidate.retry + 1})
    kept = tuple(s for s in status.flow if s.stage != candidate.stage)
    status = status.model_copy(update={"candidate": anew, "flow": kept})
    return _retried(status, token, candidate.short, flow.message, now)


def _retried(status: Status, token: Token, short: str, why: str, now: float) -> Decision:
    return Decision(
        decided(status, f"{short} runs again", f"{token.said}; {why}", now),
        notes=(Note("Retried", f"{short} runs again: {token.said}"),),
        decisive_status=True,
    )


def approve(seen: Observed, now: float) -> Decision | None:
    """The next step that `rollout.approvals` asks for may be entered, once it is proven."""
    token, identity = fresh(seen, "approve"), seen.identity
    if token is None or identity is None:
        return None
    candidate, accepted = seen.status.candidate, candidate_spec(seen)
    if candidate is None or candidate.revision != identity.revision:
        coming = token.value.startswith(identity.short) and _on_its_way(seen)
        return None if coming else ignored(seen, token, "no version of that name waits", now)
    if not token.value.startswith(candidate.short):
        return ignored(seen, token, f"the version on its way is {candidate.short}", now)
    level = next_approval(accepted, candidate) if accepted else None
    if level is None:
        return ignored(seen, token, f"no step of {candidate.short} waits for an approval", now)
    status = acknowledged(seen.status, token)
    status = status.model_copy(
        update={"candidate": candidate.model_copy(update={"approved": level})}
    )
    return Decision(
        decided(status, f"{candidate.short} approved up to {level}%", token.said, now),
        notes=(Note("Approved", f"version {candidate.version} up to {level}%: {token.said}"),),
        decisive_status=True,
    )


def _on_its_way(seen: Observed) -> bool:
    """What is declared becomes the candidate in one of the next passes."""
    identity, stable = seen.identity, seen.status.stable
    if identity is None or rejection(seen.status, identity) is not None:
        return False
    return stable is None or stable.revision != identity.revision


def promote_now(seen: Observed, now: float) -> Decision | None:
    """From a running canary to the stable revision, whatever the evidence still lacks."""
    token = fresh(seen, "promote")
    if token is None:
        return None
    case, candidate = case_of(seen), seen.status.candidate
    if candidate is None:
        return ignored(seen, token, "no version is on its way", now)
    if not token.value.startswith(candidate.short):
        return ignored(seen, token, f"the version on its way is {candidate.short}", now)
    if case is None or candidate.weight == 0:
        return ignored(
            seen, token, f"{candidate.short} has no traffic yet to be promoted from", now
        )
    if isinstance(seen.spec, Spec) and seen.spec.paused:
        return None  # spec.paused holds it; the token waits
    if by_pods(seen) and candidate.weight < case.ladder[-1]:
        # Its pods are its share: those that serve afterwards come with the last step.
        last = len(case.ladder) - 1
        return enter_step(case, seen.evidence or analysis_of(case), last, token.said, now)
    if case.arm.ready < pods_needed(case, 100):
        return None  # no weight before the capacity for it; the token waits
    decision = promote(case, f"promoted by hand: {token.said}", now)
    return replace(decision, status=acknowledged(decision.status, token))
