"""A fleet incident: when many models turn bad at the same moment, the models are not to blame.

It withholds blame for ten minutes at most: nobody is rejected for what was measured. It never holds
what follows from pods that are down, or from a request by a person.
"""

from __future__ import annotations

from collections import Counter
from typing import Literal

from merit.api.status import Candidate, Status
from merit.policy.state.times import age

LEAST = 10  # objects that turn bad together
SHARE = 0.2  # of everything exposed
OTHERS = 2  # of them outside any one namespace: a tenant's own models are no incident
HOLD = 600.0  # seconds at most
REASON = "FleetIncident"

Outcome = Literal["act", "wait", "hold"]


def outcome(bad: Counter[str], pending: Counter[str], exposed: Counter[str]) -> Outcome:
    """What one more bad verdict leads to. The counts are by namespace.

    Of all that are `exposed`: `bad` have turned bad, `pending` are not judged yet. Nothing waits
    where enough have turned bad, or too few can any more.
    """
    if trips(bad, exposed):
        return "hold"
    return "wait" if trips(bad + pending, exposed) else "act"


def trips(bad: Counter[str], exposed: Counter[str]) -> bool:
    """At least ten objects, a fifth of all; and a fifth of the rest without any one namespace."""
    count, size = bad.total(), exposed.total()
    if count < LEAST or count < SHARE * size:
        return False
    return all(
        count - own >= max(OTHERS, SHARE * (size - exposed[namespace]))
        for namespace, own in bad.items()
    )


def may_hold(status: Status, now: float) -> bool:
    """Whether an incident may keep this object from being blamed: once, for ten minutes."""
    candidate = _judged(status)
    if candidate is not None and candidate.excused:
        return False
    since = _held(status, candidate)
    return not since or age(since, now) < HOLD


def may_trip(status: Status) -> bool:
    """Whether a bad verdict counts towards an incident: what was held counts only once."""
    candidate = _judged(status)
    return not _held(status, candidate) and not (candidate is not None and candidate.excused)


def held_since(status: Status) -> str:
    """When this object was first held for an incident of the fleet; empty if it is not."""
    return _held(status, status.candidate) or _held(status, None)


def blame_pending(status: Status) -> bool:
    """The candidate was bad and has lost its traffic; whether it is rejected is not settled."""
    candidate, rollout = status.candidate, status.stage("Rollout")
    withdrawn = candidate is not None and candidate.stage == "Withdrawn"
    return withdrawn and rollout is not None and rollout.verdict == "Bad"


def _judged(status: Status) -> Candidate | None:
    """The candidate, if it is the one to blame; without one, what is live is."""
    candidate = status.candidate
    return candidate if candidate and (candidate.weight > 0 or blame_pending(status)) else None


def _held(status: Status, candidate: Candidate | None) -> str:
    if candidate is not None:
        rollout = status.stage("Rollout")
        return rollout.at if rollout is not None and rollout.reason == REASON else ""
    return status.alarm.at if status.alarm is not None and status.alarm.held == REASON else ""
