"""The cluster of a simulation: one object's status, its pods, and a route that reacts later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from merit.api.status import Candidate, Promotion, Status
from merit.policy.decide import decide
from merit.policy.state.decision import Decision, EnsureRevision, RemoveRevision, SetTraffic
from merit.policy.state.measurements import Measurements
from merit.policy.state.observed import (
    Accepted,
    Declared,
    Observed,
    Recorded,
    RevisionPods,
    Route,
    Tuning,
)
from merit.policy.state.times import stamp
from merit.policy.state.transitions import revision_of
from merit.simulate.plan import Plan
from merit.simulate.scenarios import TICK
from merit.stats.counts import Sample

BEGIN = 1_764_000_000.0  # Unix seconds of the start: the only clock of the decisions
ROUTING = TICK  # seconds from a decision until the gateway applies it
EARLIER = 86_400.0  # seconds since the predecessor was promoted


class SimulatedCluster:
    """One object as the operator observes it. Times are seconds since the rollout's start."""

    def __init__(self, plan: Plan, phi: Mapping[str, float], *, promoted: bool = False) -> None:
        """`phi`: dispersion by signal. `promoted`: start when the candidate has been promoted."""
        self.plan = plan
        self.candidate_id, self.stable_id = plan.candidate.identity, plan.stable.identity
        self.weights = {(self.candidate_id if promoted else self.stable_id).short: 100}
        self.pending: list[tuple[float, dict[str, int]]] = []
        self.announced: frozenset[str] = frozenset()
        scale = plan.spec.constraints.scale
        pods = scale.replicas.max if scale and scale.replicas else 1
        self.observed = Observed(
            name=plan.name,
            namespace="simulated",
            uid="simulated",
            generation=1,
            status=_promoted(plan, phi) if promoted else _before(plan),
            seen_before=True,
            pods={
                short: _ready(short, EnsureRevision(key=short, replicas=pods))
                for short in (self.candidate_id.short, self.stable_id.short)
            },
            tuning=Tuning(
                source="simulated", tick=TICK, per_pod=bool(phi), constants=plan.constants
            ),
            declared=Declared(spec=plan.spec, identity=self.candidate_id),
            recorded=Recorded(
                accepted={self.candidate_id.key: plan.candidate, self.stable_id.key: plan.stable}
            ),
            measurements=Measurements(dispersion=phi),
        )

    @property
    def status(self) -> Status:
        """The current status."""
        return self.observed.status

    @property
    def weight(self) -> int:
        """The candidate's actual share of the traffic, in percent."""
        return self.weights.get(self.candidate_id.short, 0)

    @property
    def intended(self) -> int:
        """The share that was decided for it, in percent."""
        return self._intended().get(self.candidate_id.short, 0)

    @property
    def promoted_and_serving(self) -> bool:
        """Whether the candidate was promoted and not rolled back."""
        return (
            self.status.stable is not None and self.status.stable.short == self.candidate_id.short
        )

    def apply_pending(self, t: float) -> None:
        """Let the gateway apply the weights that are due at `t`."""
        while self.pending and self.pending[0][0] <= t:
            _, self.weights = self.pending.pop(0)

    def decide(
        self,
        t: float,
        *,
        sample: Sample | None = None,
        live: Sample | None = None,
        comparison: Sample | None = None,
    ) -> Decision:
        """Reconcile until nothing changes any more, as the operator does after each write."""
        while True:
            route = Route(
                exists=True,
                weights=self._intended(),
                accepted=True,
                announced=self.announced,
                known=dict.fromkeys(self.announced, BEGIN - ROUTING),
            )
            observed = replace(
                self.observed,
                traffic=replace(self.observed.traffic, route=route),
                measurements=replace(
                    self.observed.measurements, sample=sample, live=live, comparison=comparison
                ),
            )
            decision = decide(observed, BEGIN + t)
            self.observed = replace(self.observed, status=decision.status)
            moved = self._carry_out(decision, t)
            if not decision.decisive_status and not moved:
                return decision

    def _intended(self) -> dict[str, int]:
        return self.pending[-1][1] if self.pending else self.weights

    def _carry_out(self, decision: Decision, t: float) -> bool:
        moved, pods = False, dict(self.observed.pods)
        for action in decision.actions:
            match action:
                case SetTraffic(weights=weights, announced=announced):
                    if dict(weights) != self._intended():
                        self.pending.append((t + ROUTING, dict(weights)))
                    self.announced = announced or frozenset()
                    moved = True
                case EnsureRevision(key=key):
                    short = key.partition("-")[0]
                    pods[short] = _ready(short, action)
                case RemoveRevision(short=short):
                    pods.pop(short, None)
        self.observed = replace(self.observed, pods=pods)
        return moved


def _ready(short: str, wanted: EnsureRevision) -> RevisionPods:
    """Pods that are ready at once: starting pods is not simulated."""
    pods = wanted.replicas if wanted.replicas is not None else max(wanted.scaling or (1, 1))
    return RevisionPods(
        short,
        exists=True,
        in_sync=True,
        remains=True,
        desired=pods,
        ready=pods,
        scaling=wanted.scaling,
        budget=wanted.budget,
    )


def _before(plan: Plan) -> Status:
    """Status when all gates are passed and the pods are ready."""
    identity, stable = plan.candidate.identity, _promotion(plan.stable, BEGIN - EARLIER)
    return Status(
        observed_generation=1,
        stable=revision_of(stable),
        promoted=(stable,),
        candidate=Candidate(
            revision=identity.revision,
            short=identity.short,
            policy=identity.policy,
            version=plan.spec.model.version,
            stage="Rollout",
            since=stamp(BEGIN),
        ),
    )


def _promoted(plan: Plan, phi: Mapping[str, float]) -> Status:
    """Status right after the promotion, with the predecessor's pods still running.

    The dispersion that the rollout measured is kept for live monitoring.
    """
    promotion = _promotion(plan.candidate, BEGIN)
    return Status(
        observed_generation=1,
        stable=revision_of(promotion),
        promoted=(promotion, _promotion(plan.stable, BEGIN - EARLIER)),
        watch={
            "of": plan.candidate.identity.key,
            "phi": {name: str(value) for name, value in phi.items()},
        },
    )


def _promotion(accepted: Accepted, at: float) -> Promotion:
    identity = accepted.identity
    return Promotion(
        revision=identity.revision,
        short=identity.short,
        policy=identity.policy,
        version=accepted.spec.model.version,
        at=stamp(at),
    )
