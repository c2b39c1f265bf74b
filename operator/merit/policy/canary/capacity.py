"""How many ready pods a share of the traffic needs: capacity comes before weight."""

from __future__ import annotations

import math

from merit.api.spec import Spec
from merit.policy.canary.case import Case, floor_of
from merit.policy.observed import Arm, Observed
from merit.policy.people.tokens import fresh
from merit.policy.standing.pods import pods_for
from merit.policy.standing.routes import by_pods

HEADROOM = 1.2  # what a share's pods must be able to carry, in units of that share
WINDOW = 60.0  # seconds that a figure of `Observed.figures` spans


def pods_needed(case: Case, weight: int) -> int:
    """Ready pods of the candidate that `weight` percent of all traffic asks for.

    A pod carries what its load test measured; without one what `scale.rps` asks of each of
    `scale.replicas.min`; without a declared rate what each of stable's ready pods carries now.
    Never more pods than carry all of the traffic without headroom, nor more than
    `scale.replicas.max`.
    """
    known = case.known
    if by_pods(case.seen) and case.status.stable is not None:
        return pods_of_share(case)
    load, each = _load(case), _per_pod(case)
    stable = case.status.stable
    if load and each:
        whole = math.ceil(round(load / each, 6))
        share = load * weight / 100 * HEADROOM / each
    else:
        serving = case.seen.arms.get(stable.short, Arm(stable.short)).ready if stable else 0
        whole = max(known.replicas_min, serving)
        share = whole * weight / 100 * HEADROOM
    return max(1, min(math.ceil(round(share, 6)), whole, known.replicas_max))


def pods_wanted(case: Case) -> int:
    """Pods that the candidate is brought up with: enough for the step that it enters next.

    For all of the traffic, once a person has asked to promote it. By pod count they are its share,
    so it has those of the step that it is at.
    """
    if by_pods(case.seen) and case.status.stable is not None:
        return pods_of_share(case)
    step = min(case.candidate.step, len(case.ladder) - 1)
    least = max(case.known.replicas_min, case.candidate.replicas)
    weight = 100 if _promoted_next(case) else case.ladder[step]
    needed = max(least, pods_needed(case, weight))
    # Pods that are up stay up: a rollout never takes capacity away from what it exposes.
    return min(max(needed, case.arm.desired), case.known.replicas_max)


def pods_of_share(case: Case) -> int:
    """The pods that make the candidate's share, or that of its first step before it has any."""
    weight = case.candidate.weight or case.ladder[0]
    return max(1, pods_for(weight, floor_of(case.seen), case.known.replicas_max))


def pods_for_half(seen: Observed, serving: int, most: int) -> int:
    """Pods that carry half of what `serving` pods carry now; by pod count, at most as many."""
    if by_pods(seen):
        return max(1, pods_for(50, serving, most))
    return max(1, min(math.ceil(serving * HEADROOM / 2), most))


def load_now(seen: Observed) -> str:
    """Requests per second that all of the stable revision's traffic is now, as status keeps it."""
    most = max((figure.n for figure in seen.figures.values()), default=0)
    return f"{most / WINDOW:.1f}" if most else ""


def _promoted_next(case: Case) -> bool:
    """A person has asked for it, and nothing holds it but pods that are not ready."""
    token, candidate = fresh(case.seen, "promote"), case.candidate
    if token is None or candidate.weight == 0 or not token.value.startswith(candidate.short):
        return False
    return not (isinstance(case.seen.spec, Spec) and case.seen.spec.paused)


def _load(case: Case) -> float:
    return max(case.known.rps or 0.0, float(case.candidate.load or 0.0))


def _per_pod(case: Case) -> float:
    measured = float(case.candidate.capacity or 0.0)
    if measured:
        return measured
    return (case.known.rps or 0.0) / case.known.replicas_min
