"""Scripts about an event that must never happen: with a candidate, live, or before either."""

from __future__ import annotations

from typing import Any

from tests.scenarios.scripts.steps import (
    POLICY,
    Until,
    advance,
    alarmed,
    covered_elsewhere,
    edit,
    exposed,
    live,
    taken_back,
    wait,
)
from tests.world.manifests import OBJECT
from tests.world.world import Step, World

PARTS: dict[str, Any] = {
    "monitoring": {
        "signals": [{"name": "leaks", "query": "sum(increase(leaks_total[5m]))", "max": "0"}]
    },
    "failureModes": [
        *OBJECT["spec"]["failureModes"],
        {"name": "leaks", "signal": "signals/leaks", "response": "Rollback"},
    ],
}
BY_HAND = {"rollbackPolicy": POLICY | {"automatic": False}}


def declare(version: str, until: Until, **more: Any) -> Step:
    """Git declares that version, with a signal of which a single event is too many."""
    return edit(until, version, **PARTS, **more)


def event(until: Until, hold: float = 0.0) -> Step:
    """It happens, once."""
    return Step(lambda world: world.traffic.record_event(), until, hold=hold, name="an event")


def candidate_rejected(world: World) -> bool:
    """The candidate is rejected for the event, has no traffic, and the pin is written."""
    rejected = [(entry["version"], entry["reason"]) for entry in world.status.get("rejected", [])]
    return (
        rejected == [("better", "ZeroTolerance")]
        and world.weights == {"good": 100}
        and "rollback" in world.mdep["spec"]
    )


def stays(version: str, weight: int) -> Until:
    """It has that weight and is not rejected: a person decides."""
    return lambda world: world.weights.get(version) == weight and not world.status.get("rejected")


FIRST = covered_elsewhere(declare("good", live("good")))
CANARY = covered_elsewhere(*FIRST, declare("better", exposed("better")))
KEPT = {"rollbackPolicy": POLICY | {"keepWarm": "30m"}}
WARM = covered_elsewhere(*FIRST, declare("better", live("better"), **KEPT))
COLD = (*covered_elsewhere(*FIRST, declare("better", live("better"))), advance(200.0))

UNDER_A_CANDIDATE = (*CANARY, event(candidate_rejected, hold=400.0))
UNDER_LIVE = (*WARM, event(taken_back("better", "good"), hold=400.0))
WITH_A_COLD_PREDECESSOR = (*COLD, event(taken_back("better", "good"), hold=400.0))
BEFORE_A_CANDIDATE = (
    *FIRST,
    event(lambda world: True),
    advance(60.0),
    declare("better", exposed("better")),
    wait(live("better")),
)
WITHOUT_A_PREDECESSOR = (*FIRST, event(alarmed("NoHealthyRevision", "good"), hold=200.0))
BY_A_PERSON = (
    *FIRST,
    declare("better", live("better"), **BY_HAND),
    event(alarmed("NotAutomatic", "better"), hold=200.0),
    wait(live("better")),
)
A_CANDIDATE_BY_A_PERSON = (
    *FIRST,
    declare("better", exposed("better"), **BY_HAND),
    event(stays("better", 10), hold=200.0),
    wait(live("better")),
)

ALL = {
    "under a candidate": UNDER_A_CANDIDATE,
    "under the live version": UNDER_LIVE,
    "under the live version, with a cold predecessor": WITH_A_COLD_PREDECESSOR,
    "before the candidate had traffic": BEFORE_A_CANDIDATE,
    "without a predecessor": WITHOUT_A_PREDECESSOR,
    "where only a person rolls back": BY_A_PERSON,
    "under a candidate that only a person rolls back": A_CANDIDATE_BY_A_PERSON,
}
REJECTED = (
    "under a candidate",
    "under the live version",
    "under the live version, with a cold predecessor",
)
