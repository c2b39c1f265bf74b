"""Declared content becomes a candidate; newer content supersedes it; edited bars judge anew."""

from __future__ import annotations

from merit.api.hashing import Identity
from merit.api.spec import Spec
from merit.api.status import Candidate, FlowStage, Stage, Status
from merit.policy.decision import Accept, Decision, Note
from merit.policy.gates.runs import again
from merit.policy.observed import Observed
from merit.policy.remember import decided, dropped, judged_anew, rejection
from merit.policy.responses import constrained, coverage
from merit.policy.times import stamp


def supersede(seen: Observed, now: float) -> Decision | None:
    """A candidate that is not what is declared any more: exposure to 0 first, then it goes."""
    candidate, identity = seen.status.candidate, seen.identity
    if candidate is None or identity is None or candidate.revision == identity.revision:
        return None
    if candidate.weight > 0:
        out = candidate.model_copy(update={"weight": 0, "superseded": True})
        status = decided(
            seen.status.model_copy(update={"candidate": out}),
            f"{candidate.short} {candidate.weight}% -> 0%",
            "newer content is declared",
            now,
        )
        note = Note("Superseded", f"version {candidate.version} gives way to newer content")
        return Decision(status, notes=(note,), decisive_status=True, urgent=True)
    if candidate.short in seen.route.weights:
        return Decision(seen.status, again=1.0, urgent=True)  # converge takes it out first
    return Decision(dropped(seen.status, now), decisive_status=True)


def judge_anew(seen: Observed, now: float) -> Decision | None:
    """Only what judges was edited: the content stays where it is, under its new bars."""
    identity, candidate, stable = seen.identity, seen.status.candidate, seen.status.stable
    if identity is None:
        return None
    if candidate is not None and candidate.revision == identity.revision:
        if candidate.policy == identity.policy:
            return None
        if identity.key not in seen.accepted:
            return Decision(seen.status, actions=(Accept(),))
        anew = _anew(seen, candidate, identity, now)
        return Decision(
            decided(
                seen.status.model_copy(update={"candidate": anew, "analysis": None}),
                f"{candidate.short} is judged anew",
                "the bars were edited",
                now,
            ),
            decisive_status=True,
        )
    if candidate is None and stable is not None and stable.revision == identity.revision:
        if stable.policy == identity.policy:
            return None
        if identity.key not in seen.accepted:
            return Decision(seen.status, actions=(Accept(),))
        return Decision(judged_anew(seen.status, identity.policy, now), decisive_status=True)
    return None


def _anew(seen: Observed, candidate: Candidate, identity: Identity, now: float) -> Candidate:
    """The candidate under its new policy; a gate's Job runs again only if its own bars moved."""
    judged = candidate.model_copy(update={"policy": identity.policy, "approved": 0})
    if candidate.stage not in ("Evaluation", "Feasibility"):
        return judged.model_copy(update={"since": stamp(now)})
    old = seen.accepted.get(f"{candidate.short}-{candidate.policy}")
    stage: Stage = "Evaluation" if candidate.stage == "Evaluation" else "Feasibility"
    same = old is not None and old.identity.stage_policy(stage) == identity.stage_policy(stage)
    return judged if same else again(judged, now)


def take_up(seen: Observed, now: float) -> Decision | None:
    """New content, not rejected under its policies: it enters the flow at the first gate."""
    identity, status = seen.identity, seen.status
    if identity is None or not isinstance(seen.spec, Spec) or status.candidate is not None:
        return None
    if status.stable is not None and status.stable.revision == identity.revision:
        return None
    if rejection(status, identity) is not None:
        return None
    if identity.key not in seen.accepted:
        return Decision(status, actions=(Accept(),))
    version = seen.spec.model.version
    status = new_candidate(seen.spec, identity, status, now)
    return Decision(
        decided(status, f"{identity.short} accepted", f"version {version}", now),
        notes=(Note("Accepted", f"version {version} is revision {identity.short}"),),
        decisive_status=True,
    )


def new_candidate(
    spec: Spec, identity: Identity, status: Status, now: float, *, retry: int = 0
) -> Status:
    """The status with this content at the first gate. `retry`: how often it was asked for again."""
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
    """What was declared, and which constraint nobody has said what to do about."""
    modes, bounds = len(spec.failure_modes), len(constrained(spec))
    return (
        f"goal, owner, {bounds} constraint{'s' * (bounds != 1)}, "
        f"{modes} failure mode{'s' * (modes != 1)}; {coverage(spec)}"
    )
