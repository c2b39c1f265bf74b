"""One rollout from its first step to its end: the operator's own `decide`, on synthetic counts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from merit.api.defaults import effective
from merit.evidence.counts import ArmPair, Counts, Sample
from merit.simulate.kinds import TICK, Kind
from merit.simulate.plan import Plan
from merit.simulate.service import Service
from merit.simulate.traffic import Tick, Traffic
from merit.simulate.world import BEGIN, ROUTING, World

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

    `ended` is when it was promoted, rolled back or withdrawn, by whichever came last; `promoted` is
    set, too, if it was rolled back after that. `reached`: when each weight was entered. `bad`: bad
    requests that it served until the horizon, by bar; of what turns, from then on.
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
    A defect that was promoted goes on to serve, to be watched and to be counted; a healthy
    candidate is done.
    """
    traffic = Traffic(kind, service, plan.rps, seed)
    world, course = _begun(plan, phi, kind)
    scrape = max(1, round(plan.constants.scrape / TICK))
    over, total = False, _empty(plan)
    for tick in range(round(horizon / TICK)):
        t = tick * TICK
        world.follow(t)
        if over and not world.due:
            break
        happened = traffic.step(t, world.weight / 100)
        if t >= kind.turns:
            _count(course, plan, happened)
        total = _added(total, happened)
        if over or (tick + 1) % scrape:
            continue
        _look(world, total, t + TICK, scrape * TICK)
        total = _empty(plan)
        if picture:
            course.moments.append(_moment(world, t + TICK))
        over = _follow_up(course, world, t + TICK)
        over = over or (course.ending == "promoted" and not kind.defective and not kind.turns)
    return course


def _begun(plan: Plan, phi: Mapping[str, float], kind: Kind) -> tuple[World, Course]:
    """Time counts from the first request of a rollout, and from the promotion of what turns."""
    world = World(plan, phi, promoted=kind.turns > 0)
    course = Course(bad={bar.name: 0 for bar in plan.bars})
    first = Sample(BEGIN, None, {})
    if kind.turns:
        world.decide(0.0, live=first)
        course.ending, course.ended, course.promoted = "promoted", 0.0, 0.0
        course.reason = "Promoted"
        return world, course
    world.decide(0.0, sample=first)
    world.follow(ROUTING)
    if world.status.candidate is not None:
        course.reached[world.status.candidate.weight] = 0.0
    return world, course


def _look(world: World, total: Tick, now: float, seconds: float) -> None:
    """One scrape in the operator's eyes: of a rollout, of what serves, or of a comparison."""
    at, since = BEGIN + now, BEGIN + now - seconds
    sample = Sample(at, since, _pairs(world.plan, total.n, total.bad))
    if not world.serves:
        world.decide(now, sample=sample)
        return
    alone = _pairs(world.plan, (0, total.n[0]), tuple((0, mine) for mine, _ in total.bad))
    verifying, probe = world.status.verifying, None
    if verifying is not None and verifying.stage == "Comparing":
        probe = sample if verifying.analysis else Sample(at, None, {})
    world.decide(now, live=Sample(at, since, alone), probe=probe)


def _follow_up(course: Course, world: World, now: float) -> bool:
    """Note what was decided; True once nothing more can happen to the version."""
    status, candidate = world.status, world.status.candidate
    if candidate is not None and candidate.stage != "Withdrawn":
        if candidate.weight:
            course.reached.setdefault(candidate.weight, now)
        return False
    if status.rejected:
        entry = status.rejected[0]
        course.ending, course.ended = "rolled back", now
        course.reason, course.message = entry.reason, entry.evidence
        return True
    if candidate is not None:
        told = next(s for s in status.flow if s.stage == "Rollout")
        course.ending, course.ended, course.reason = "withdrawn", now, told.reason
        return True
    if course.promoted is None:
        course.ending, course.ended, course.promoted = "promoted", now, now
        course.reason = "Promoted"
        course.reached[100] = now
    return False


def _moment(world: World, now: float) -> Moment:
    """The scores go with what they were about: at the end they had reached the mark at least."""
    status = world.status
    scores = status.analysis if status.candidate else None
    if status.verifying is not None:
        scores = status.verifying.analysis
    if status.rejected:
        evidence = -math.log(1 - effective(world.plan.spec).confidence)
    else:
        evidence = float(scores["evidence"]) if scores else 0.0
    return Moment(now, world.intended, evidence)


def _empty(plan: Plan) -> Tick:
    return Tick((0, 0), ((0, 0),) * len(plan.bars))


def _added(a: Tick, b: Tick) -> Tick:
    return Tick(
        (a.n[0] + b.n[0], a.n[1] + b.n[1]),
        tuple((x[0] + y[0], x[1] + y[1]) for x, y in zip(a.bad, b.bad, strict=True)),
    )


def _pairs(plan: Plan, n: tuple[int, int], bad: tuple[tuple[int, int], ...]) -> dict[str, ArmPair]:
    pairs: dict[str, ArmPair] = {}
    for bar, (mine, theirs) in zip(plan.bars, bad, strict=True):
        candidate, stable = Counts(n[0], mine), Counts(n[1], theirs)
        pairs[bar.name] = ArmPair(candidate, stable, candidate, stable)
    return pairs


def _count(course: Course, plan: Plan, tick: Tick) -> None:
    course.requests += tick.n[0]
    for bar, (mine, _) in zip(plan.bars, tick.bad, strict=True):
        course.bad[bar.name] += mine
