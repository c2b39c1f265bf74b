"""The circuit breaker: when many models turn bad in one moment, it is not the models.

It stands above what rests on scores alone, and holds it for ten minutes at most. Pods that are
down, an abort and every other word of a person go past it.
"""

from __future__ import annotations

from typing import Literal

from merit.api.status import Status
from merit.policy.times import age

LEAST = 10  # objects that turn bad in one look
SHARE = 0.2  # of those that were judged in it
HOLD = 600.0  # seconds at most
SAMPLE = 200  # judged ones that tell of the others: who is judged first is chance
REASON = "FleetIncident"

Outcome = Literal["act", "wait", "hold"]


def outcome(bad: int, pending: int, size: int, *, late: bool = False) -> Outcome:
    """What one more bad verdict leads to, with so many of `size` judged bad, so many not judged.

    A look in which too few can turn bad any more, or enough have, is not waited for; nor is a large
    one whose first part is far from an incident. `late`: those who are judged must do.
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
    """Whether an incident may keep this object from being rolled back still."""
    since = held_since(status) or (_alarm(status) if status.verifying is not None else "")
    return not since or age(since, now) < HOLD


def turns(status: Status, now: float) -> bool:
    """Whether a bad verdict now would be news: what was held turns bad no second time."""
    return not held_since(status) and may_hold(status, now)


def held_since(status: Status) -> str:
    """When this object was first held for an incident of the fleet; empty if it is not."""
    stage = next((s for s in status.flow if s.stage == "Rollout" and s.reason == REASON), None)
    if stage is not None and status.candidate is not None:
        return stage.at
    return _alarm(status) if status.alarm is not None and status.alarm.held == REASON else ""


def _alarm(status: Status) -> str:
    return status.alarm.at if status.alarm is not None else ""
