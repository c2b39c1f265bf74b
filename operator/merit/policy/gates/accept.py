"""Declared content becomes a candidate; newer content supersedes it; edited bars judge it again."""

from __future__ import annotations

from merit.api.hashing import Identity
from merit.api.spec import Spec
from merit.api.status import Candidate, FlowStage, Status
from merit.policy.gates.retry_policy import next_attempt
from merit.policy.outcomes.incident import blame_pending
from merit.policy.signals.gauge_signals import closed
from merit.policy.state.decision import Accept, Decision, Note, decisive
from merit.policy.state.observed import Observed
from merit.policy.state.responses import constrained, coverage
from merit.policy.state.times import stamp
from merit.policy.state.transitions import (
    rejection,
    with_new_policy,
    with_stage,
    without_candidate,
)
from merit.policy.state.verdict import Verdict


def supersede(seen: Observed, now: float) -> Decision | None:
    """A candidate that is no longer what is declared: its weight goes to 0, then it goes."""
    candidate, identity = seen.status.candidate, seen.declared.identity
    if candidate is None or identity is None or candidate.revision == identity.revision:
        return None
    if candidate.weight > 0:
        superseded = candidate.model_copy(update={"weight": 0, "superseded": True})
        status = seen.status.model_copy(update={"candidate": superseded})
        what = f"{candidate.short} {candidate.weight}% -> 0%"
        note = Note("Superseded", f"version {candidate.version} gives way to newer content")
        return decisive(status, what, "newer content is declared", now, note, urgent=True)
    if candidate.short in seen.traffic.route.weights:
        return Decision(seen.status, requeue_after=1.0, urgent=True)  # its weight is set to 0 first
    return Decision(without_candidate(seen.status, now), decisive_status=True)


def apply_edited_bars(seen: Observed, now: float) -> Decision | None:
    """Only the policy was edited: the content stays where it is, and is judged by its new bars."""
    identity, candidate = seen.declared.identity, seen.status.candidate
    current = candidate if candidate is not None else seen.status.stable
    if identity is None or current is None or current.revision != identity.revision:
        return None
    if current.policy == identity.policy:
        return None
    if identity.key not in seen.recorded.accepted:
        return Decision(seen.status, actions=(Accept(),))
    if candidate is None:
        return Decision(with_new_policy(seen.status, identity.policy, now), decisive_status=True)
    judged_again = _under_new_policy(seen, candidate, identity, now)
    status = seen.status.model_copy(update={"candidate": judged_again, "analysis": None})
    if blame_pending(status):  # by bars that are no more
        anew = Verdict("Undecided", "Sampling", "the bars were edited: it is judged anew")
        status = with_stage(status, "Rollout", anew, now)
    return decisive(status, f"{candidate.short} is judged anew", "the bars were edited", now)


def _under_new_policy(
    seen: Observed, candidate: Candidate, identity: Identity, now: float
) -> Candidate:
    """The candidate with its new policy; a gate's Job runs again only if its own bars changed."""
    updated = candidate.model_copy(update={"policy": identity.policy, "approved": 0})
    if not candidate.at_gate:  # what was proven by other bars is to be proven again
        stage = "Rollout" if candidate.stage == "Holdback" else candidate.stage
        return updated.model_copy(update={"since": stamp(now), "stage": stage})
    old, stage = seen.record(candidate), candidate.flow_stage
    same = old is not None and old.identity.stage_policy(stage) == identity.stage_policy(stage)
    return updated if same else next_attempt(updated, now)


def accept_content(seen: Observed, now: float) -> Decision | None:
    """New content that is not rejected under its policy: it enters the flow at the first gate."""
    identity, status = seen.declared.identity, seen.status
    if identity is None or not isinstance(seen.declared.spec, Spec) or status.candidate is not None:
        return None
    if status.stable is not None and status.stable.revision == identity.revision:
        return None
    if rejection(status, identity) is not None:
        return None
    if identity.key not in seen.recorded.accepted:
        return Decision(status, actions=(Accept(),))
    version = f"version {seen.declared.spec.model.version}"
    status = with_new_candidate(seen.declared.spec, identity, status, now)
    notes = [Note("Accepted", f"{version} is revision {identity.short}")]
    unread = closed(seen, seen.declared.spec)
    if unread is not None:
        why = f"{unread.message}; beside a revision that serves it gets no traffic"
        notes.append(Note("QueriesClosed", why, warning=True))
    return decisive(status, f"{identity.short} accepted", version, now, *notes)


def with_new_candidate(
    spec: Spec, identity: Identity, status: Status, now: float, *, retry: int = 0
) -> Status:
    """The status with this content at the first gate. `retry`: retries that people asked for."""
    candidate = Candidate(
        revision=identity.revision,
        short=identity.short,
        policy=identity.policy,
        version=spec.model.version,
        stage="Evaluation",
        attempt=status.runs + 1,
        since=stamp(now),
        retry=retry,
    )
    declared = FlowStage(
        stage="Declared",
        verdict="Good",
        reason="Accepted",
        at=stamp(now),
        message=_summary(spec),
    )
    return status.model_copy(update={"candidate": candidate, "flow": (declared,), "analysis": None})


def _summary(spec: Spec) -> str:
    """What is declared, and which constraints have no failure mode."""
    modes, bounds = len(spec.failure_modes), len(constrained(spec))
    return (
        f"goal, owner, {bounds} constraint{'s' * (bounds != 1)}, "
        f"{modes} failure mode{'s' * (modes != 1)}; {coverage(spec)}"
    )
