"""A candidate past its gates, with everything that a verdict about it needs."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from merit.api.defaults import Effective, effective
from merit.api.status import Candidate, Status
from merit.evidence.analysis import Analysis
from merit.evidence.ladder import ladder
from merit.evidence.terms import Terms
from merit.policy.gates.run import candidate_spec
from merit.policy.observed import Accepted, Arm, Observed
from merit.policy.signals import bars
from merit.policy.standing.pods import left_out, pod_ladder, pods_for, share_of
from merit.policy.standing.routes import by_pods


@dataclass(frozen=True, slots=True)
class Case:
    """A candidate with everything a verdict about it needs."""

    seen: Observed
    candidate: Candidate
    accepted: Accepted
    known: Effective
    ladder: tuple[int, ...]
    arm: Arm

    @property
    def status(self) -> Status:
        return self.seen.status


def case_of(seen: Observed) -> Case | None:
    """The candidate, if it is past its gates."""
    candidate, accepted = seen.status.candidate, candidate_spec(seen)
    if candidate is None or accepted is None or candidate.superseded:
        return None
    if candidate.stage in ("Evaluation", "Feasibility"):
        return None
    known = effective(accepted.spec)
    return Case(
        seen=seen,
        candidate=candidate,
        accepted=accepted,
        known=known,
        ladder=ladder_of(seen, accepted, known),
        arm=seen.arms.get(candidate.short, Arm(short=candidate.short)),
    )


def ladder_of(seen: Observed, accepted: Accepted, known: Effective) -> tuple[int, ...]:
    """The weights of this rollout; by pod count, those that pods can make."""
    declared = ladder(known.steps, known.holdback_weight)
    candidate, stable = seen.status.candidate, seen.status.stable
    if stable is None or not by_pods(seen):
        return declared
    beside = candidate.floor if candidate else 0
    return pod_ladder(declared, beside or max(1, floor_of(seen)), known.replicas_max)


def made(case: Case, weight: int) -> int:
    """The share that a declared weight comes to: by pod count, what pods can make of it."""
    if case.status.stable is None or not by_pods(case.seen):
        return weight
    beside = case.candidate.floor or max(1, floor_of(case.seen))
    return share_of(pods_for(weight, beside, case.known.replicas_max), beside)


def shares_told(seen: Observed) -> str:
    """By pod count: who has how many pods, and which steps pods cannot make."""
    case = case_of(seen)
    if case is None or seen.status.stable is None:
        return seen.route.reason
    beside = case.candidate.floor or max(1, floor_of(seen))
    declared = ladder(case.known.steps, case.known.holdback_weight)
    out = left_out(declared, beside, case.known.replicas_max)
    if not out:
        return seen.route.reason
    said = ", ".join(f"{step}%" for step in out)
    return f"{seen.route.reason}; left out beside {beside} pods: {said}"


def floor_of(seen: Observed) -> int:
    """How many pods the stable revision is to have now: so many stay while another has traffic."""
    stable = seen.status.stable
    return seen.arms.get(stable.short, Arm(stable.short)).desired if stable else 0


def terms_of(case: Case) -> Terms:
    """What it is judged by, and measured with."""
    return Terms.of_rollout(
        case.ladder,
        confidence=case.known.confidence,
        blast_radius=case.known.blast_radius,
        constants=case.seen.tuning.constants,
        rps=float(case.known.rps) if case.known.rps else None,
        phi=case.seen.dispersion,
        source=case.seen.tuning.view,
    )


def analysis_of(case: Case) -> Analysis:
    """The engine with the state that status remembers, or a fresh one.

    State that does not fit (another version of Merit wrote it, it was measured otherwise) is no
    state: evidence begins anew, which costs time and never a verdict.
    """
    declared, terms = bars(case.accepted.spec), terms_of(case)
    if case.status.analysis:
        with suppress(ValueError):
            return Analysis.restore(case.status.analysis, declared, terms)
    return Analysis.fresh(declared, terms)
