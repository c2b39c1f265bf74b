"""After promotion: what turns bad, what is blamed for it, and what is only a bad day."""

from __future__ import annotations

import copy
from collections.abc import Callable

from tests.world.manifests import OBJECT, manifest
from tests.world.scenarios import FIRST, PROMOTED, USER, apply, exposed, known, live, wait
from tests.world.world import Step, World

BAD = 0.06  # of requests fail, against a bar of 1 %


def turn(version: str, share: float, until: Callable[[World], bool], hold: float = 0.0) -> Step:
    """From now on this version fails so often; "*" is every version."""

    def do(world: World) -> None:
        world.traffic.turn(version, share)

    return Step(do, until, limit=2000.0, hold=hold, name=f"{version} fails {share:.0%}")


def loops(version: str, until: Callable[[World], bool], hold: float = 0.0) -> Step:
    """From now on the pods of this version end again and again."""

    def do(world: World) -> None:
        short = next(s for s, v in world.traffic.versions.items() if v == version)
        world.actors.looping.add(f"{world.key.name}-{short}")
        world.restless = True

    return Step(do, until, limit=2000.0, hold=hold, name=f"{version} loops")


def edit(until: Callable[[World], bool], version: str = "better", **parts: object) -> Step:
    """Git declares that version, with other values in these parts of the spec."""

    def do(world: World) -> None:
        declared = manifest(version)
        declared["spec"] |= copy.deepcopy(parts)
        world.store.apply(declared, USER)

    return Step(do, until, limit=2000.0, name=f"edit {', '.join(parts)}")


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


def unblamed(world: World) -> bool:
    """The comparison is over without a verdict, and all is as it was before."""
    told = any(stage["reason"] == "NotConfirmed" for stage in world.status.get("flow", []))
    return told and live("better")(world)


POLICY = OBJECT["spec"]["rollbackPolicy"]
KEPT = POLICY | {"keepWarm": "30m"}
WARM = known(*FIRST, edit(live("better"), rollbackPolicy=KEPT))
COLD = (*known(*PROMOTED), rest(200.0))  # keepWarm is over: the predecessor's pods are gone

WARM_TAKEN_BACK = (*WARM, turn("better", BAD, taken_back("better", "good"), hold=60.0))
COLD_TAKEN_BACK = (*COLD, turn("better", BAD, taken_back("better", "good"), hold=60.0))
SHARED = (*COLD, turn("*", BAD, alarmed("SharedFailure", "better"), hold=60.0))
FIRST_TURNS = (*known(*FIRST), turn("good", BAD, alarmed("NoHealthyRevision", "good"), hold=60.0))
RECOVERS = (*SHARED, turn("*", 0.0, live("better"), hold=60.0))

COOLDOWN = (
    *known(*WARM_TAKEN_BACK),
    apply("fixed", live("fixed")),
    turn("fixed", BAD, alarmed("Cooldown", "fixed"), hold=600.0),
    rest(3600.0),
    wait(taken_back("fixed", "good")),
)
OLD = (
    *COLD,
    edit(live("better"), rollbackPolicy=POLICY | {"within": "60s"}),
    turn("better", BAD, alarmed("TooOld", "better"), hold=120.0),
)
BY_HAND = (
    *COLD,
    edit(live("better"), rollbackPolicy=POLICY | {"automatic": False}),
    turn("better", BAD, alarmed("NotAutomatic", "better"), hold=120.0),
)
ONLY_ALERT = (
    *COLD,
    edit(
        live("better"),
        failureModes=[{"name": "errors", "signal": "errors", "response": "Alert"}],
    ),
    turn("better", BAD, alarmed("AlertOnly", "better"), hold=120.0),
)
UNDECIDED = (
    *COLD,
    turn("better", BAD, exposed("good")),
    turn("better", 0.0, unblamed, hold=60.0),
)
WARM_LOOPS = (*WARM, loops("better", taken_back("better", "good"), hold=60.0))
COLD_LOOPS = (*COLD, loops("better", taken_back("better", "good"), hold=60.0))
BOTH_LOOP = (
    *COLD,
    loops("good", lambda world: True),
    loops("better", alarmed("PredecessorDown", "better"), hold=60.0),
)
OVERTAKEN = (
    *COLD,
    turn("better", BAD, exposed("good")),
    apply("fixed", exposed("fixed")),
    wait(live("fixed")),
)
EDITED = (
    *COLD,
    turn("better", BAD, exposed("good")),
    edit(
        lambda world: "verifying" not in world.status and world.weights == {"better": 100},
        constraints=OBJECT["spec"]["constraints"] | {"errors": {"max": "10%"}},
    ),
    wait(live("better")),
)

ALL = {
    "a rollback waits for the cooldown": COOLDOWN,
    "an old promotion is alerted of": OLD,
    "no rollback without a person": BY_HAND,
    "a failure mode that only alerts": ONLY_ALERT,
    "a comparison that blames nobody": UNDECIDED,
    "pods that loop, beside a warm predecessor": WARM_LOOPS,
    "pods that loop, with a cold predecessor": COLD_LOOPS,
    "the pods of both loop": BOTH_LOOP,
    "newer content during a comparison": OVERTAKEN,
    "other bars during a comparison": EDITED,
    "a live version turns bad, its predecessor is warm": WARM_TAKEN_BACK,
    "a live version turns bad, its predecessor is cold": COLD_TAKEN_BACK,
    "an outage that both share": SHARED,
    "a first version turns bad, with nothing to go back to": FIRST_TURNS,
    "an outage that ends": RECOVERS,
}

CRASHED = {
    "taken back": COLD_TAKEN_BACK,
    "shared": SHARED,
    "pods loop": COLD_LOOPS,
}
