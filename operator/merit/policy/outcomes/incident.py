"""The circuit breaker: when many models turn bad at the same moment, the models are not to blame.

It holds decisions that rest on evidence alone, for ten minutes at most. It never holds what follows
from pods that are down, or from a request by a person.
"""

from __future__ import annotations

from typing import Literal

from merit.api.status import Status
from merit.policy.state.times import age

LEAST = 10  # objects that turn bad in one poll
SHARE = 0.2  # of those that were judged in it
HOLD = 600.0  # seconds at most
SAMPLE = 200  # judged objects that are enough: which of them are judged first is chance
REASON = "FleetIncident"

Outcome = Literal["act", "wait", "hold"]


def outcome(bad: int, pending: int, size: int, *, late: bool = False) -> Outcome:
    """What one more bad verdict leads to. Of `size`: `bad` are judged bad, `pending` not judged.

    Nothing waits for a poll in which enough have turned bad, or too few can any more, nor for a
    large one whose first part is far from an incident. `late`: no time to wait for the rest.
    """
    judged = size - pending
    if trips(bad, judged if late else size):
        return "hold"
    few = judged >= SAMPLE and bad < SHARE / 2 * judged
    return "wait" if trips(bad + pending, size) and not few and not late else "act"


def trips(bad: int, size: int) -> bool:
    """At least ten objects, and at least a fifth of those that are judged together."""
    return bad >= LEAST and bad >= SHARE * size


def may_hold(status: Status, now: float) -> bool:
    """Whether an incident may still keep this object from being rolled back."""
    since = held_since(status) or (_alarm(status) if status.comparison is not None else "")
    return not since or age(since, now) < HOLD


def may_trip(status: Status, now: float) -> bool:
    """Whether a bad verdict now counts towards an incident: what was held counts only once."""
    return not held_since(status) and may_hold(status, now)


def held_since(status: Status) -> str:
    """When this object was first held for an incident of the fleet; empty if it is not."""
    rollout = status.stage("Rollout")
    if status.candidate is not None and rollout is not None and rollout.reason == REASON:
        return rollout.at
    return _alarm(status) if status.alarm is not None and status.alarm.held == REASON else ""


def _alarm(status: Status) -> str:
    return status.alarm.at if status.alarm is not None else ""
