"""What the operator sees and moves in a simulation: status, arms, a route that follows later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from merit.api.status import Candidate, Promotion, Status
from merit.evidence.counts import Sample
from merit.policy.decide import decide
from merit.policy.decision import Decision, EnsureArm, RemoveArm, SetTraffic
from merit.policy.observed import Accepted, Arm, Observed, Route, Tuning
from merit.policy.remember import serving
from merit.policy.times import stamp
from merit.simulate.kinds import TICK
from merit.simulate.plan import Plan

BEGIN = 1_764_000_000.0  # any instant: decisions know no clock but this one
ROUTING = TICK  # seconds from a decision until the gateway follows it
EARLIER = 86_400.0  # seconds since the predecessor was promoted


class World:
    """One object in the operator's eyes. Times are seconds since the rollout's start."""

    def __init__(self, plan: Plan, phi: Mapping[str, float], *, promoted: bool = False) -> None:
        """`promoted`: the version has passed its rollout just now, and serves everything."""
        self.plan = plan
        self.me, self.other = plan.candidate.identity, plan.stable.identity
        self.weights = {(self.me if promoted else self.other).short: 100}
        self.due: list[tuple[float, dict[str, int]]] = []
        self.announced: frozenset[str] = frozenset()
        scale = plan.spec.constraints.scale
        pods = scale.replicas.max if scale and scale.replicas else 1
        self.seen = Observed(
            name=plan.name,
            namespace="simulated",
            uid="simulated",
            generation=1,
            spec=plan.spec,
            identity=self.me,
            status=_promoted(plan, phi) if promoted else _before(plan),
            seen_before=True,
            accepted={self.me.key: plan.candidate, self.other.key: plan.stable},
            arms={
                short: _ready(short, EnsureArm(key=short, replicas=pods))
                for short in (self.me.short, self.other.short)
            },
            dispersion=phi,
            tuning=Tuning(
                source="simulated", tick=TICK, per_pod=bool(phi), constants=plan.constants
            ),
        )

    @property
    def status(self) -> Status:
        """As it stands now."""
        return self.seen.status

    @property
    def weight(self) -> int:
        """What the gateway gives the version that is rolled out, in percent."""
        return self.weights.get(self.me.short, 0)

    @property
    def intended(self) -> int:
        """What it shall have, in percent."""
        return self._intended().get(self.me.short, 0)

    @property
    def serves(self) -> bool:
        """It was promoted, and nothing has taken that back."""
        return self.status.stable is not None and self.status.stable.short == self.me.short

    def follow(self, t: float) -> None:
        """The gateway has caught up with what was decided until then."""
        while self.due and self.due[0][0] <= t:
            _, self.weights = self.due.pop(0)

    def decide(
        self,
        t: float,
        *,
        sample: Sample | None = None,
        live: Sample | None = None,
        probe: Sample | None = None,
    ) -> Decision:
        """Passes until nothing decisive is left, as after every write of the operator's."""
        while True:
            route = Route(
                exists=True,
                weights=self._intended(),
                accepted=True,
                announced=self.announced,
                known=dict.fromkeys(self.announced, BEGIN - ROUTING),
            )
            seen = replace(self.seen, route=route, sample=sample, live=live, probe=probe)
            decision = decide(seen, BEGIN + t)
            self.seen = replace(self.seen, status=decision.status)
            moved = self._carry_out(decision, t)
            if not decision.decisive_status and not moved:
                return decision

    def _intended(self) -> dict[str, int]:
        return self.due[-1][1] if self.due else self.weights

    def _carry_out(self, decision: Decision, t: float) -> bool:
        moved, arms = False, dict(self.seen.arms)
        for action in decision.actions:
            match action:
                case SetTraffic(weights=weights, announced=announced):
                    if dict(weights) != self._intended():
                        self.due.append((t + ROUTING, dict(weights)))
                    self.announced = announced or frozenset()
                    moved = True
                case EnsureArm(key=key):
                    short = key.partition("-")[0]
                    arms[short] = _ready(short, action)
                case RemoveArm(short=short):
                    arms.pop(short, None)
        self.seen = replace(self.seen, arms=arms)
        return moved


def _ready(short: str, wanted: EnsureArm) -> Arm:
    """Pods come at once here: what is simulated is how traffic is earned, not how it starts."""
    pods = wanted.replicas if wanted.replicas is not None else max(wanted.scaling or (1, 1))
    return Arm(
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
    """Status at the moment when all gates are passed and the pods are ready."""
    me, other = plan.candidate.identity, _promotion(plan.stable, BEGIN - EARLIER)
    return Status(
        observed_generation=1,
        stable=serving(other),
        promoted=(other,),
        candidate=Candidate(
            revision=me.revision,
            short=me.short,
            policy=me.policy,
            version=plan.spec.model.version,
            stage="Rollout",
            since=stamp(BEGIN),
        ),
    )


def _promoted(plan: Plan, phi: Mapping[str, float]) -> Status:
    """Status at the moment when it was promoted, its predecessor still warm.

    What the rollout knew of the dispersion has been handed over to the watch.
    """
    me = _promotion(plan.candidate, BEGIN)
    return Status(
        observed_generation=1,
        stable=serving(me),
        promoted=(me, _promotion(plan.stable, BEGIN - EARLIER)),
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
