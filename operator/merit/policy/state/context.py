"""A candidate past its gates, with everything that a verdict about it needs."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from merit.api.defaults import Effective, effective
from merit.api.evidence_state import AnalysisState
from merit.api.spec import Spec
from merit.api.status import Candidate, Status
from merit.policy.state.counted_signals import bars
from merit.policy.state.observed import Accepted, Observed, RevisionPods
from merit.policy.state.pod_shares import left_out, pod_ladder, pods_for, share_of
from merit.policy.state.route_kind import by_pods
from merit.stats.analysis import Analysis
from merit.stats.ladder import ladder
from merit.stats.terms import Terms


@dataclass(frozen=True, slots=True)
class RolloutContext:
    """A candidate past its gates. `settings`: of its accepted spec; `pods`: its own."""

    seen: Observed
    candidate: Candidate
    accepted: Accepted
    settings: Effective
    ladder: tuple[int, ...]
    pods: RevisionPods

    @property
    def status(self) -> Status:
        return self.seen.status

    @property
    def steps_taken(self) -> int:
        """How many steps are at or below its weight, whatever they were when it got there."""
        return bisect_right(self.ladder, self.candidate.weight)

    @property
    def next_step(self) -> int:
        """The ladder's entry that it enters next (an index); the last one, if none is left."""
        return min(self.steps_taken, len(self.ladder) - 1)

    def weight_at(self, index: int) -> int:
        """Its weight after that entry. An edited ladder takes nothing from what is proven."""
        return max(self.candidate.weight, self.ladder[index])


def rollout_context(seen: Observed) -> RolloutContext | None:
    """The candidate, if it is past its gates."""
    candidate, accepted = seen.status.candidate, seen.record(seen.status.candidate)
    if candidate is None or accepted is None or candidate.superseded or candidate.at_gate:
        return None
    settings = effective(accepted.spec)
    return RolloutContext(
        seen=seen,
        candidate=candidate,
        accepted=accepted,
        settings=settings,
        ladder=_ladder(seen, candidate, settings),
        pods=seen.pods_of(candidate.short),
    )


def _ladder(seen: Observed, candidate: Candidate, settings: Effective) -> tuple[int, ...]:
    """The weights of this rollout; by pod count, those that pods can make."""
    declared = ladder(settings.steps, settings.holdback_weight)
    if seen.status.stable is None or not by_pods(seen):
        return declared
    return pod_ladder(declared, _pods_beside(seen, candidate), settings.replicas_max)


def _pods_beside(seen: Observed, candidate: Candidate) -> int:
    """Stable's pods by which the candidate's share is counted: fixed at its first step."""
    return candidate.floor or max(1, stable_pods(seen))


def achievable_weight(context: RolloutContext, weight: int) -> int:
    """The share that a declared weight comes to: by pod count, what pods can make of it."""
    if context.status.stable is None or not by_pods(context.seen):
        return weight
    beside = _pods_beside(context.seen, context.candidate)
    return share_of(pods_for(weight, beside, context.settings.replicas_max), beside)


def share_summary(seen: Observed) -> str:
    """By pod count: which revision has how many pods, and which steps pods cannot make."""
    summary, context = seen.traffic.route.reason, rollout_context(seen)
    if context is None or seen.status.stable is None:
        return summary
    settings, beside = context.settings, _pods_beside(seen, context.candidate)
    declared = ladder(settings.steps, settings.holdback_weight)
    out = left_out(declared, beside, settings.replicas_max)
    if not out:
        return summary
    steps = ", ".join(f"{step}%" for step in out)
    return f"{summary}; left out beside {beside} pods: {steps}"


def stable_pods(seen: Observed) -> int:
    """How many pods the stable revision is to have now: so many stay while another has traffic."""
    stable = seen.status.stable
    return seen.pods_of(stable.short).desired if stable else 0


def terms_of(context: RolloutContext) -> Terms:
    """What the candidate is judged by, and measured with."""
    settings, seen = context.settings, context.seen
    return Terms(
        context.ladder,
        confidence=settings.confidence,
        blast_radius=settings.blast_radius,
        constants=seen.tuning.constants,
        rps=float(settings.rps) if settings.rps else None,
        phi=seen.measurements.dispersion,
        source=seen.tuning.view,
    )


def analysis_of(context: RolloutContext) -> tuple[Analysis, str]:
    """The sequential tests of a candidate, and why they begin anew, if they do."""
    return resumed(context.status.analysis, context.accepted.spec, terms_of(context))


def resumed(state: AnalysisState | None, spec: Spec, terms: Terms) -> tuple[Analysis, str]:
    """The sequential tests with the evidence in status, or without any; why that was not used.

    Evidence that does not fit (another version of Merit wrote it, it was measured in another way)
    is dropped: to begin anew costs time and never a verdict.
    """
    if state is None:
        return Analysis(bars(spec), terms), ""
    try:
        return Analysis.restore(state.model_dump(by_alias=True), bars(spec), terms), ""
    except ValueError as error:
        return Analysis(bars(spec), terms), str(error)
