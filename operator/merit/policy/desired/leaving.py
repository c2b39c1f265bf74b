"""Revisions that lost their traffic: how long they keep their pods, and what is due for them."""

from __future__ import annotations

from merit.api.status import Leaving, Status
from merit.policy.state.observed import Observed
from merit.policy.state.route_kind import by_pods
from merit.policy.state.times import age, seconds
from merit.policy.state.transitions import DRAIN

SETTLE = 5.0  # seconds: a gateway's counters, and what it knows of backends, lag behind


def keeps_pods(seen: Observed, leaving: Leaving, now: float) -> bool:
    """Whether a revision that lost its traffic keeps its pods for now.

    A gateway that has accepted a route may still send by the old one for a while. By pod count
    it is the other way round: open connections end only with the pods, so these go at once.
    """
    if leaving.kept:
        return seconds(leaving.until) > now
    if by_pods(seen):
        return False
    return seconds(leaving.until) > now and not is_idle(seen, leaving, now)


def is_idle(seen: Observed, leaving: Leaving, now: float) -> bool:
    """Whether the gateway surely sends nothing to it any more."""
    return seen.traffic.idle.get(leaving.short, False) and age(leaving.since, now) >= SETTLE


def still_leaving(seen: Observed, status: Status, now: float) -> tuple[Leaving, ...]:
    """The leaving revisions of which something exists, or is to be kept."""
    if status != seen.status:
        return status.leaving  # this pass decided it: nothing can be gone yet
    return tuple(
        leaving
        for leaving in status.leaving
        if leaving.short in seen.pods or (leaving.kept and seconds(leaving.until) > now)
    )


def leaving_due_in(status: Status, now: float) -> float | None:
    """Seconds until the pods of a leaving revision change next; None without one."""
    due = [seconds(leaving.until) - now for leaving in status.leaving]
    for after in (SETTLE, DRAIN):
        left = (seconds(leaving.since) + after - now for leaving in status.leaving)
        due += [wait for wait in left if wait > 0]
    return max(0.5, min(due)) if due else None
