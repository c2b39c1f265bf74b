"""The route of an exposed candidate is gone: what comes back in its place is the safe one."""

from __future__ import annotations

from merit.policy.canary.case import case_of
from merit.policy.canary.outcome import withdraw
from merit.policy.decision import Decision
from merit.policy.observed import Observed
from merit.policy.verdict import Verdict


def route_is_gone(seen: Observed, now: float) -> Decision | None:
    """Somebody deleted it. It is made again with all traffic at the stable revision, not with the
    step's weights: what happened meanwhile nobody has measured.
    """
    case = case_of(seen)
    if case is None or case.candidate.weight == 0 or seen.status.stable is None:
        return None
    if seen.route.exists:
        return None
    why = "the route was deleted; it comes back with all traffic at the stable revision"
    return withdraw(case, Verdict("NoData", "RouteGone", why), now)
