"""One rollout from its first step to its end: the operator's own `decide`, on synthetic counts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from merit.api.defaults import effective
from merit.api.status import Candidate, Revision, Status
from merit.evidence.counts import ArmPair, Counts, Sample
from merit.policy.decide import decide
from merit.policy.decision import Decision, EnsureArm, RemoveArm, SetTraffic
from merit.policy.observed import Arm, Observed, Route, Tuning
from merit.policy.times import stamp
from merit.simulate.kinds import TICK, Kind
from merit.simulate.plan import Plan
from merit.simulate.service import Service
from merit.simulate.traffic import Tick, Traffic

BEGIN = 1_764_000_000.0  # any instant: decisions know no clock but this one
ROUTING = TICK  # seconds from a decision until the gateway follows it
Ending = Literal["promoted", "rolled back", "withdrawn", "held"]


@dataclass(frozen=True, slots=True)
class Moment:
    """For the picture: seconds since the start, weight in percent, evidence against it in nats."""

    t: float
    weight: int
    evidence: float


@dataclass(slots=True)
class Course:
    """How one rollout went. Times are seconds since the candidate had its first traffic.

    `bad`: bad requests that it served until the horizon, by bar; `ended` is when it was promoted or
    rolled back; `reached` when each weight was entered.
    """

    ending: Ending = "held"
    ended: float | None = None
    reason: str = ""
    message: str = ""
    promoted: float | None = None
    reached: dict[int, float] = field(default_factory=dict)
    bad: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    moments: list[Moment] = field(default_factory=list)


class World:
    """What the operator sees and moves: status, arms, and a route that follows after a while."""

    def __init__(self, plan: Plan, phi: Mapping[str, float]) -> None:
        self.plan = plan
        self.me, self.other = plan.candidate.identity, plan.stable.identity
        self.weights: dict[str, int] = {self.other.short: 100}
        self.due: list[tuple[float, dict[str, int]]] = []
        self.announced: frozenset[str] = frozenset()
        replicas = plan.spec.constraints.scale.replicas if plan.spec.constraints.scale else None
        pods = replicas.max if replicas else 1
        self.seen = Observed(
            name=plan.name,
            namespace="simulated",
            uid="simulated",
            generation=1,
            spec=plan.spec,
            identity=self.me,
            status=_before(plan),
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
    def weight(self) -> int:
        """What the gateway gives the candidate now, in percent."""
        return self.weights.get(self.me.short, 0)

    def follow(self, t: float) -> None:
        """The gateway has caught up with what was decided until then."""
        while self.due and self.due[0][0] <= t:
            _, self.weights = self.due.pop(0)

    def decide(self, sample: Sample, t: float) -> Decision:
        """Passes until nothing decisive is left, as after every write of the operator's."""
        while True:
            route = Route(
                exists=True,
                weights=self._intended(),
                accepted=True,
                announced=self.announced,
                known=dict.fromkeys(self.announced, BEGIN - ROUTING),
            )
            seen = replace(self.seen, route=route, sample=sample)
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


def run(
    plan: Plan,
    service: Service,
    kind: Kind,
    *,
    phi: Mapping[str, float],
    seed: int | str,
    horizon: float,
    picture: bool = False,
) -> Course:
    """One rollout under that kind of traffic, until `horizon` seconds after its start.

    `phi`: measured dispersion by signal; a signal without one is judged with the cautious value.
    A defect that was promoted goes on to serve, and to be counted; a healthy candidate is done.
    """
    traffic = Traffic(kind, service, plan.rps, seed)
    world, course = World(plan, phi), Course(bad={bar.name: 0 for bar in plan.bars})
    scrape = max(1, round(plan.constants.scrape / TICK))
    world.decide(Sample(BEGIN, None, {}), 0.0)
    world.follow(ROUTING)  # time counts from the first request
    if world.seen.status.candidate is not None:
        course.reached[world.seen.status.candidate.weight] = 0.0
    open_, total = True, _empty(plan)
    for tick in range(round(horizon / TICK)):
        t = tick * TICK
        world.follow(t)
        happened = traffic.step(t, world.weight / 100)
        _count(course, plan, happened)
        if not open_:
            if not world.due and (world.weight == 0 or not kind.defective):
                break
            continue
        total = _added(total, happened)
        if (tick + 1) % scrape:
            continue
        now = t + TICK
        sample = Sample(BEGIN + now, BEGIN + now - scrape * TICK, _pairs(plan, total))
        total = _empty(plan)
        decision = world.decide(sample, now)
        if picture:
            course.moments.append(_moment(world, now))
        open_ = _follow_up(course, world, decision, now)
    return course


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


def _follow_up(course: Course, world: World, decision: Decision, now: float) -> bool:
    """Note what was decided; False once the rollout is over."""
    status = world.seen.status
    candidate = status.candidate
    told = next((s for s in decision.status.flow if s.stage == "Rollout"), None)
    if candidate is not None and candidate.stage != "Withdrawn":
        if candidate.weight:
            course.reached.setdefault(candidate.weight, now)
        return True
    course.ended = now
    course.reason, course.message = (told.reason, told.message) if told else ("", "")
    if status.rejected:
        course.ending = "rolled back"
    elif candidate is not None:
        course.ending = "withdrawn"
    else:
        course.ending, course.promoted = "promoted", now
    return False


def _moment(world: World, now: float) -> Moment:
    status = world.seen.status
    if status.candidate is not None:
        told = float(status.analysis["evidence"]) if status.analysis else 0.0
        return Moment(now, status.candidate.weight, told)
    if status.rejected:  # the scores went with the candidate: they had reached the mark at least
        return Moment(now, 0, -math.log(1 - effective(world.plan.spec).confidence))
    return Moment(now, 100, 0.0)


def _before(plan: Plan) -> Status:
    """Status at the moment when all gates are passed and the pods are ready."""
    me, other = plan.candidate.identity, plan.stable.identity
    return Status(
        observed_generation=1,
        stable=Revision(
            revision=other.revision,
            short=other.short,
            policy=other.policy,
            version=plan.stable.spec.model.version,
            promoted_at=stamp(BEGIN - 86400),
        ),
        candidate=Candidate(
            revision=me.revision,
            short=me.short,
            policy=me.policy,
            version=plan.spec.model.version,
            stage="Rollout",
            since=stamp(BEGIN),
        ),
    )


def _empty(plan: Plan) -> Tick:
    return Tick((0, 0), ((0, 0),) * len(plan.bars))


def _added(a: Tick, b: Tick) -> Tick:
    return Tick(
        (a.n[0] + b.n[0], a.n[1] + b.n[1]),
        tuple((x[0] + y[0], x[1] + y[1]) for x, y in zip(a.bad, b.bad, strict=True)),
    )


def _pairs(plan: Plan, tick: Tick) -> dict[str, ArmPair]:
    pairs: dict[str, ArmPair] = {}
    for bar, (mine, theirs) in zip(plan.bars, tick.bad, strict=True):
        candidate, stable = Counts(tick.n[0], mine), Counts(tick.n[1], theirs)
        pairs[bar.name] = ArmPair(candidate, stable, candidate, stable)
    return pairs


def _count(course: Course, plan: Plan, tick: Tick) -> None:
    course.requests += tick.n[0]
    for bar, (mine, _) in zip(plan.bars, tick.bad, strict=True):
        course.bad[bar.name] += mine
