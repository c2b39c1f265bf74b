"""How many ready pods a share of the traffic needs: capacity comes before weight."""

from __future__ import annotations

import math

from merit.policy.state.context import RolloutContext, stable_pods
from merit.policy.state.observed import Observed
from merit.policy.state.pod_shares import pods_for
from merit.policy.state.route_kind import by_pods
from merit.policy.state.tokens import unhandled

HEADROOM = 1.2  # what a share's pods must be able to carry, in units of that share
WINDOW = 60.0  # seconds that a figure of `Measurements.figures` spans


def pods_needed(context: RolloutContext, weight: int) -> int:
    """Ready pods that the candidate needs for `weight` percent of all traffic.

    A pod carries what its load test measured; without one what `scale.rps` asks of each of
    `scale.replicas.min`; without a declared rate what each of stable's ready pods carries now.
    Never more pods than carry all of the traffic without headroom, nor more than
    `scale.replicas.max`.
    """
    settings, candidate, stable = context.settings, context.candidate, context.status.stable
    if by_pods(context.seen) and stable is not None:
        return pods_of_share(context)
    declared = settings.rps or 0.0
    load = max(declared, float(candidate.load or 0.0))
    per_pod = float(candidate.capacity or 0.0) or declared / settings.replicas_min
    if load and per_pod:
        whole = math.ceil(round(load / per_pod, 6))
        share = load * weight / 100 * HEADROOM / per_pod
    else:
        serving = context.seen.pods_of(stable.short).ready if stable else 0
        whole = max(settings.replicas_min, serving)
        share = whole * weight / 100 * HEADROOM
    return max(1, min(math.ceil(round(share, 6)), whole, settings.replicas_max))


def pods_wanted(context: RolloutContext) -> int:
    """Pods that the candidate is brought up with: enough for the step that it enters next.

    For all of the traffic, once a person has asked to promote it. By pod count they are its share,
    so it has those of the step that it is at.
    """
    if by_pods(context.seen) and context.status.stable is not None:
        return pods_of_share(context)
    least = max(context.settings.replicas_min, context.candidate.replicas)
    weight = 100 if _promoted_next(context) else context.weight_at(context.next_step)
    needed = max(least, pods_needed(context, weight))
    # Pods that are up stay up: a rollout never takes capacity away from what it exposes.
    return min(max(needed, context.pods.desired), context.settings.replicas_max)


def pods_of_share(context: RolloutContext) -> int:
    """The pods that make the candidate's share, or that of its first step before it has any."""
    weight = context.candidate.weight or context.ladder[0]
    return max(1, pods_for(weight, stable_pods(context.seen), context.settings.replicas_max))


def pods_for_half(seen: Observed, serving: int, most: int) -> int:
    """Pods that carry half of what `serving` pods carry now; by pod count, at most as many."""
    if by_pods(seen):
        return max(1, pods_for(50, serving, most))
    return max(1, min(math.ceil(serving * HEADROOM / 2), most))


def requests_per_second(seen: Observed) -> float | None:
    """Of all the stable revision's traffic now; None if it is not measured."""
    counted = [figure.n for figure in seen.measurements.figures.values()]
    return max(counted) / WINDOW if counted else None


def load_now(seen: Observed) -> str:
    """The same as status keeps it, empty if there is none."""
    rps = requests_per_second(seen)
    return f"{rps:.1f}" if rps else ""


def _promoted_next(context: RolloutContext) -> bool:
    """A person has asked for it, and only pods that are not ready hold it."""
    token, candidate = unhandled(context.seen, "promote"), context.candidate
    if token is None or candidate.weight == 0 or not token.value.startswith(candidate.short):
        return False
    return not context.seen.paused
