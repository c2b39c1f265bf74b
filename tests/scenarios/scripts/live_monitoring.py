"""Scripts about live versions: one turns bad, and a comparison decides whether it is to blame."""

from __future__ import annotations

from tests.scenarios.scripts.rollouts import FIRST, PROMOTED
from tests.scenarios.scripts.steps import (
    BAD,
    POLICY,
    advance,
    alarmed,
    apply,
    covered_elsewhere,
    crash_loop,
    edit,
    exposed,
    live,
    set_errors,
    taken_back,
    wait,
)
from tests.world.manifests import OBJECT
from tests.world.world import World

KEPT = POLICY | {"keepWarm": "30m"}
WARM = covered_elsewhere(*FIRST, edit(live("better"), rollbackPolicy=KEPT))
# The predecessor's pods are gone after keepWarm.
COLD = (*covered_elsewhere(*PROMOTED), advance(200.0))


def not_confirmed(world: World) -> bool:
    """The comparison has ended without a verdict, and the version serves as before."""
    ended = any(stage["reason"] == "NotConfirmed" for stage in world.status.get("flow", []))
    return ended and live("better")(world)


WARM_TAKEN_BACK = (*WARM, set_errors("better", BAD, taken_back("better", "good"), hold=60.0))
COLD_TAKEN_BACK = (*COLD, set_errors("better", BAD, taken_back("better", "good"), hold=60.0))
SHARED = (*COLD, set_errors("*", BAD, alarmed("SharedFailure", "better"), hold=60.0))
FIRST_TURNS_BAD = (
    *covered_elsewhere(*FIRST),
    set_errors("good", BAD, alarmed("NoHealthyRevision", "good"), hold=60.0),
)
RECOVERS = (*SHARED, set_errors("*", 0.0, live("better"), hold=60.0))
COMPARED = (*COLD, set_errors("better", BAD, exposed("good")))

COOLDOWN = (
    *covered_elsewhere(*WARM_TAKEN_BACK),
    apply("fixed", live("fixed")),
    set_errors("fixed", BAD, alarmed("Cooldown", "fixed"), hold=600.0),
    advance(3600.0),
    wait(taken_back("fixed", "good")),
)
OLD = (
    *COLD,
    edit(live("better"), rollbackPolicy=POLICY | {"within": "60s"}),
    set_errors("better", BAD, alarmed("TooOld", "better"), hold=120.0),
)
BY_HAND = (
    *COLD,
    edit(live("better"), rollbackPolicy=POLICY | {"automatic": False}),
    set_errors("better", BAD, alarmed("NotAutomatic", "better"), hold=120.0),
)
ONLY_ALERT = (
    *COLD,
    edit(
        live("better"),
        failureModes=[{"name": "errors", "signal": "errors", "response": "Alert"}],
    ),
    set_errors("better", BAD, alarmed("AlertOnly", "better"), hold=120.0),
)
UNDECIDED = (*COMPARED, set_errors("better", 0.0, not_confirmed, hold=60.0))
WARM_LOOPS = (*WARM, crash_loop("better", taken_back("better", "good"), hold=60.0))
COLD_LOOPS = (*COLD, crash_loop("better", taken_back("better", "good"), hold=60.0))
BOTH_LOOP = (
    *COLD,
    crash_loop("good", lambda world: True),
    crash_loop("better", alarmed("PredecessorDown", "better"), hold=60.0),
)
OVERTAKEN = (*COMPARED, apply("fixed", exposed("fixed")), wait(live("fixed")))
EDITED = (
    *COMPARED,
    edit(
        lambda world: "comparison" not in world.status and world.weights == {"better": 100},
        constraints=OBJECT["spec"]["constraints"] | {"errors": {"max": "10%"}},
    ),
    wait(live("better")),
)

ALL = {
    "a rollback waits for the cooldown": COOLDOWN,
    "an alarm long after the promotion only alerts": OLD,
    "no rollback without a person": BY_HAND,
    "a failure mode that only alerts": ONLY_ALERT,
    "a comparison that is not confirmed": UNDECIDED,
    "pods that crash, beside a warm predecessor": WARM_LOOPS,
    "pods that crash, with a cold predecessor": COLD_LOOPS,
    "the pods of both crash": BOTH_LOOP,
    "newer content during a comparison": OVERTAKEN,
    "other thresholds during a comparison": EDITED,
    "a live version turns bad, its predecessor is warm": WARM_TAKEN_BACK,
    "a live version turns bad, its predecessor is cold": COLD_TAKEN_BACK,
    "an outage that both share": SHARED,
    "a first version turns bad, without a predecessor": FIRST_TURNS_BAD,
    "an outage that ends": RECOVERS,
}

CRASHED = {
    "rolled back": COLD_TAKEN_BACK,
    "shared": SHARED,
    "pods crash": COLD_LOOPS,
}
