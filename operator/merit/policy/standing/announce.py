"""A gateway hears of a backend before it is to send anything there.

Routes and backends reach a gateway's proxies on separate ways. A share of a backend that a proxy
does not know yet, or does not know any more, is that share of requests failed. So an arm is named
in the route, by a rule that no request matches, before its first share and until it is gone.
"""

from __future__ import annotations

from collections.abc import Mapping

from merit.api.status import Candidate, Status
from merit.policy.observed import Observed
from merit.policy.standing.arms import SETTLE, stays
from merit.policy.standing.routes import by_pods
from merit.policy.times import age


def announced(seen: Observed, status: Status, now: float) -> frozenset[str]:
    """The revisions without a share that the gateway is to know, by their 8 characters."""
    if by_pods(seen):
        return frozenset()
    candidate, probe = status.candidate, status.verifying
    named = {arm.short for arm in status.leaving if stays(seen, arm, now)}
    if candidate is not None and _on_its_way(candidate, now):
        named.add(candidate.short)
    if probe is not None:
        named.add(probe.short)
    return frozenset(s for s in named if (arm := seen.arms.get(s)) and arm.exists and arm.in_sync)


def _on_its_way(candidate: Candidate, now: float) -> bool:
    """What was withdrawn is announced again when it resumes: the route may be why it had to go."""
    if candidate.stage == "Withdrawn":
        return age(candidate.since, now) < SETTLE
    return candidate.stage not in ("Evaluation", "Feasibility")


def unheard(seen: Observed, weights: Mapping[str, int], stable: str, now: float) -> frozenset[str]:
    """The revisions that shall have a first share of what the gateway has not surely heard of.

    A stable revision never waits: what it replaces is worse than a moment's missing backend.
    """
    if by_pods(seen) or not seen.route.weights:
        return frozenset()
    first = {s for s in weights if s != stable and s not in seen.route.weights}
    return frozenset(s for s in first if _left(seen, s, now) > 0)


def settles_in(seen: Observed, weights: Mapping[str, int], stable: str, now: float) -> float | None:
    """Seconds until the next of them may have its share; None if nobody waits for that alone."""
    waiting = [_left(seen, s, now) for s in unheard(seen, weights, stable, now)]
    return max(0.5, min(waiting)) if waiting else None


def _left(seen: Observed, short: str, now: float) -> float:
    since = seen.route.known.get(short)
    if short not in seen.route.announced or since is None or seen.route.accepted is not True:
        return SETTLE
    return since + SETTLE - now
