"""What must never happen does: under a candidate, under what is live, before either."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.world.manifests import OBJECT
from tests.world.scenarios import exposed, known, live, wait
from tests.world.watching import POLICY, alarmed, edit, rest, taken_back
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


def declare(version: str, until: Callable[[World], bool], **more: Any) -> Step:
    """Git declares that version, with a signal of which one event is too many."""
    return edit(until, version, **PARTS, **more)


def happens(until: Callable[[World], bool], hold: float = 0.0) -> Step:
    """It happens, once."""
    return Step(lambda world: world.traffic.happens(), until, hold=hold, name="it happens")


def fell(world: World) -> bool:
    """The candidate lost its traffic for that reason, and the pin says so."""
    rejected = [(entry["version"], entry["reason"]) for entry in world.status.get("rejected", [])]
    return (
        rejected == [("better", "ZeroTolerance")]
        and world.weights == {"good": 100}
        and "rollback" in world.mdep["spec"]
    )


def stays(version: str, share: int) -> Callable[[World], bool]:
    """It has that share, and a person is waited for."""
    return lambda world: world.weights.get(version) == share and not world.status.get("rejected")


FIRST = known(declare("good", live("good")))
CANARY = known(*FIRST, declare("better", exposed("better")))
KEPT = {"rollbackPolicy": POLICY | {"keepWarm": "30m"}}
WARM = known(*FIRST, declare("better", live("better"), **KEPT))
COLD = (*known(*FIRST, declare("better", live("better"))), rest(200.0))

UNDER_A_CANDIDATE = (*CANARY, happens(fell, hold=400.0))
UNDER_LIVE = (*WARM, happens(taken_back("better", "good"), hold=400.0))
WITH_A_COLD_PREDECESSOR = (*COLD, happens(taken_back("better", "good"), hold=400.0))
BEFORE_A_CANDIDATE = (
    *FIRST,
    happens(lambda world: True),
    rest(60.0),
    declare("better", exposed("better")),
    wait(live("better")),
)
WITHOUT_A_PREDECESSOR = (*FIRST, happens(alarmed("NoHealthyRevision", "good"), hold=200.0))
BY_A_PERSON = (
    *FIRST,
    declare("better", live("better"), **BY_HAND),
    happens(alarmed("NotAutomatic", "better"), hold=200.0),
    wait(live("better")),
)
A_CANDIDATE_BY_A_PERSON = (
    *FIRST,
    declare("better", exposed("better"), **BY_HAND),
    happens(stays("better", 10), hold=200.0),
    wait(live("better")),
)

ALL = {
    "under a candidate": UNDER_A_CANDIDATE,
    "under what is live": UNDER_LIVE,
    "under what is live, with a cold predecessor": WITH_A_COLD_PREDECESSOR,
    "before the candidate had traffic": BEFORE_A_CANDIDATE,
    "with nothing to go back to": WITHOUT_A_PREDECESSOR,
    "where only a person takes back": BY_A_PERSON,
    "under a candidate that only a person takes back": A_CANDIDATE_BY_A_PERSON,
}
CRASHED = ("under a candidate", "under what is live", "under what is live, with a cold predecessor")
