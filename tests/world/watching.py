"""After promotion: what turns bad, what is blamed for it, and what is only a bad day."""

from __future__ import annotations

from collections.abc import Callable

from tests.world.scenarios import FIRST, PROMOTED, known, live
from tests.world.world import Step, World

BAD = 0.06  # of requests fail, against a bar of 1 %


def turn(version: str, share: float, until: Callable[[World], bool], hold: float = 0.0) -> Step:
    """From now on this version fails so often; "*" is every version."""

    def do(world: World) -> None:
        world.traffic.turn(version, share)

    return Step(do, until, limit=2000.0, hold=hold, name=f"{version} fails {share:.0%}")


def rest(seconds: float) -> Step:
    """Nothing happens for so long."""
    return Step(lambda world: None, lambda world: True, hold=seconds, name="rest", known=True)


def taken_back(bad: str, good: str) -> Callable[[World], bool]:
    """The version that was promoted is rejected, and the one before it serves alone."""

    def is_back(world: World) -> bool:
        return (
            world.status.get("phase") == "RolledBack"
            and world.version("stable") == good
            and world.weights == {good: 100}
            and [entry["version"] for entry in world.status["rejected"]][:1] == [bad]
            and "rollback" in world.mdep["spec"]
        )

    return is_back


def alarmed(held: str, version: str) -> Callable[[World], bool]:
    """There is an alarm, nothing is rolled back for that reason, and that version has it all."""

    def is_alarmed(world: World) -> bool:
        alarm = world.status.get("alarm") or {}
        return (
            alarm.get("held") == held
            and "verifying" not in world.status
            and world.weights == {version: 100}
            and world.version("stable") == version
        )

    return is_alarmed


COLD = (*known(*PROMOTED), rest(200.0))  # keepWarm is over: the predecessor's pods are gone

WARM_TAKEN_BACK = (*known(*PROMOTED), turn("better", BAD, taken_back("better", "good"), hold=60.0))
COLD_TAKEN_BACK = (*COLD, turn("better", BAD, taken_back("better", "good"), hold=60.0))
SHARED = (*COLD, turn("*", BAD, alarmed("SharedFailure", "better"), hold=60.0))
FIRST_TURNS = (*known(*FIRST), turn("good", BAD, alarmed("NoHealthyRevision", "good"), hold=60.0))
RECOVERS = (*SHARED, turn("*", 0.0, live("better"), hold=60.0))

ALL = {
    "a live version turns bad, its predecessor is warm": WARM_TAKEN_BACK,
    "a live version turns bad, its predecessor is cold": COLD_TAKEN_BACK,
    "an outage that both share": SHARED,
    "a first version turns bad, with nothing to go back to": FIRST_TURNS,
    "an outage that ends": RECOVERS,
}

CRASHED = {
    "taken back": COLD_TAKEN_BACK,
    "shared": SHARED,
}
