"""Traffic: the weights that status intends, and the write that brings the route in line with them.

Routes and backends reach a gateway's proxies separately. Of a share for a backend that a proxy does
not know yet, or no longer, every request fails. So a revision is named in the route, by a rule that
no request matches, for some seconds before its first share and until its pods are gone.
"""

from __future__ import annotations

from collections.abc import Mapping

from merit.api.status import Candidate, Status
from merit.policy.desired.leaving import SETTLE, keeps_pods
from merit.policy.state.decision import Divert, SetTraffic
from merit.policy.state.observed import Observed
from merit.policy.state.route_kind import by_pods
from merit.policy.state.times import age


def wanted_weights(status: Status) -> dict[str, int]:
    """Percent per revision that status intends; empty while nothing may serve."""
    candidate, stable = status.candidate, status.stable
    if stable is None:
        return {}
    beside = candidate if candidate and candidate.weight > 0 else status.comparison
    if beside is None:
        return {stable.short: 100}
    weights = {stable.short: 100 - beside.weight, beside.short: beside.weight}
    return {short: share for short, share in weights.items() if share > 0}


def traffic_action(seen: Observed, status: Status, now: float) -> SetTraffic | None:
    """The write that the route needs; None if it is in line, or may not be written now."""
    weights, stable, route = wanted_weights(status), status.stable, seen.traffic.route
    if not weights or stable is None or route.foreign:
        return None
    if seen.traffic.contested and not route.exists:
        return None
    shares, announced = dict(route.weights), _announced(seen, status, now)
    in_line = route.in_sync or bool(seen.traffic.conflict or seen.traffic.edited)
    too_early = _not_known_to_gateway(seen, weights, stable.short, now)
    if too_early:
        keep = set(shares) <= set(weights) and route.in_sync
        weights = shares if keep else {stable.short: 100}
        in_line = in_line and too_early & announced <= set(route.known)
    announced -= {short for short, weight in weights.items() if weight > 0}
    if shares == weights and in_line and announced == route.announced:
        return None
    raised = tuple(s for s, w in weights.items() if w > shares.get(s, 0) and s != stable.short)
    if raised and any(_gets_requests_by_pods(seen, short, weights) for short in seen.pods):
        return None  # its pods have to go first
    if stable.short not in shares:  # what serves now keeps its traffic until this is ready
        raised = (*raised, stable.short)
    return SetTraffic(
        weights=weights,
        key=stable.key,
        serves=stable.short,
        check_ready=raised,
        announced=announced,
    )


def before_pods(seen: Observed, traffic: SetTraffic) -> bool:
    """Whether the write may precede what pods still lack.

    So it may if nothing rises, or only what serves from now on and is up.
    """
    pods = seen.pods_of(traffic.serves)
    up = pods.in_sync and pods.ready > 0
    return not traffic.raises and (up or not traffic.check_ready)


def blocked(seen: Observed, status: Status) -> str:
    """Why a revision has traffic that status has taken from it; empty if none has."""
    return seen.traffic.refused if stray(seen, status) else ""


def stray(seen: Observed, status: Status) -> frozenset[str]:
    """The revisions that the route sends to, and status does not, while it cannot be written."""
    if not seen.traffic.refused:
        return frozenset()
    return frozenset(seen.traffic.route.weights) - set(wanted_weights(status))


def diversions(seen: Observed, status: Status) -> list[Divert]:
    """While the route cannot be written: Services of rejected revisions lead to stable's pods.

    Only if these are ready: a bad answer is better than none.
    """
    stable = status.stable
    if stable is None or by_pods(seen) or stable.key not in seen.recorded.accepted:
        return []
    if seen.pods_of(stable.short).ready == 0:
        return []
    return [
        Divert(short=short, to=stable.key)
        for short in sorted(stray(seen, status))
        if not seen.pods_of(short).diverted
    ]


def first_share_in(seen: Observed, status: Status, now: float) -> float | None:
    """Seconds until the gateway surely knows a revision that waits only for that; None if none."""
    stable = status.stable
    if stable is None:
        return None
    waiting = _not_known_to_gateway(seen, wanted_weights(status), stable.short, now)
    left = [_seconds_until_known(seen, short, now) for short in waiting]
    return max(0.5, min(left)) if left else None


def _announced(seen: Observed, status: Status, now: float) -> frozenset[str]:
    """The revisions that the gateway is to know before they have a share, or after."""
    if by_pods(seen):
        return frozenset()
    candidate, comparison = status.candidate, status.comparison
    named = {leaving.short for leaving in status.leaving if keeps_pods(seen, leaving, now)}
    if candidate is not None and _may_get_a_share(candidate, now):
        named.add(candidate.short)
    if comparison is not None:
        named.add(comparison.short)
    return frozenset(
        short for short in named if (pods := seen.pods.get(short)) and pods.exists and pods.in_sync
    )


def _may_get_a_share(candidate: Candidate, now: float) -> bool:
    """A withdrawn candidate is announced again when it resumes: the route may be the cause."""
    if candidate.stage == "Withdrawn":
        return age(candidate.since, now) < SETTLE
    return not candidate.at_gate


def _not_known_to_gateway(
    seen: Observed, weights: Mapping[str, int], stable: str, now: float
) -> frozenset[str]:
    """The revisions due their first share whose backend the gateway may not know yet.

    A stable revision never waits: what it replaces is worse than a missing backend for a moment.
    """
    if by_pods(seen) or not seen.traffic.route.weights:
        return frozenset()
    first = {s for s in weights if s != stable and s not in seen.traffic.route.weights}
    return frozenset(s for s in first if _seconds_until_known(seen, s, now) > 0)


def _seconds_until_known(seen: Observed, short: str, now: float) -> float:
    route = seen.traffic.route
    since = route.known.get(short)
    if short not in route.announced or since is None or route.accepted is not True:
        return SETTLE
    return since + SETTLE - now


def _gets_requests_by_pods(seen: Observed, short: str, weights: Mapping[str, int]) -> bool:
    """By pod count, every pod that runs gets requests, be its revision without a share."""
    pods = seen.pods[short]
    return by_pods(seen) and short not in weights and (pods.desired > 0 or pods.ready > 0)
