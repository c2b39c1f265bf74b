"""Scripts about versions on their way: gates, canaries, rollbacks, deletion."""

from __future__ import annotations

from merit.policy.state.times import stamp
from tests.scenarios.scripts.steps import (
    apply,
    awaits_approval,
    change,
    condemned,
    covered_elsewhere,
    delete,
    exposed,
    good_again,
    live,
    pods_down,
    rejected,
    rolled_back,
    serves,
    set_pods,
    token,
    wait,
    weighs,
    withdrawn,
)
from tests.world.pods import CRASH_LOOP, NOT_READY
from tests.world.world import START

BYPASS = {"stages": ["Rollout"], "reason": "INC-4711", "expires": stamp(START + 6 * 3600.0)}

FIRST = (apply("good", live("good")),)
PROMOTED = (*covered_elsewhere(*FIRST), apply("better", live("better")))
REFUSED = (
    *covered_elsewhere(*FIRST),
    apply("inaccurate", rejected),
    apply("inaccurate", rejected, hold=60.0),
)
ROLLED_BACK = (
    *covered_elsewhere(*FIRST),
    apply("failing", rolled_back, hold=40.0),
    apply("failing", rolled_back, hold=60.0),
)
FIXED = (*ROLLED_BACK, apply("fixed", exposed("fixed")), wait(live("fixed")))
BACK_AND_FORTH = (
    *covered_elsewhere(*FIRST),
    apply("better", exposed("better")),
    apply("good", live("good")),
)
OVERTAKEN = (
    *covered_elsewhere(*FIRST, apply("failing", condemned)),
    apply("better", exposed("better")),
    wait(live("better")),
)
DELETED = (*covered_elsewhere(*FIRST), apply("better", exposed("better")), delete())
CANARY = (*FIRST, apply("better", exposed("better")))
BAD_CANARY = (*FIRST, apply("failing", exposed("failing")))
ON_ITS_WAY = covered_elsewhere(*CANARY)
ABORTED = (
    *ON_ITS_WAY,
    token("abort", "now", good_again),
    token("retry", "DECLARED", exposed("better")),
    wait(live("better")),
)
BY_HAND = (*covered_elsewhere(*PROMOTED), token("rollback", "INC-1", good_again))
STOPPED = covered_elsewhere(token("abort", "now", good_again))
APPROVED = (
    *covered_elsewhere(
        *FIRST,
        change("rollout.approvals", [50], live("good")),
        change("model.version", "better", awaits_approval),
    ),
    token("approve", "CANDIDATE", weighs("better", 50)),
    *STOPPED,
)
AT_ONCE = (*ON_ITS_WAY, token("promote", "CANDIDATE", live("better")))
UNMEASURED = (*ON_ITS_WAY, change("bypass", BYPASS, serves("better")))
CRASHING = (
    *ON_ITS_WAY,
    set_pods(CRASH_LOOP, lambda world: pods_down(world) and good_again(world)),
)
NODE_LOST = (
    *ON_ITS_WAY,
    set_pods(NOT_READY, withdrawn),
    set_pods(None, exposed("better")),
    *STOPPED,
)
SLOW = (
    *covered_elsewhere(*FIRST),
    apply("slow", rejected, hold=40.0),
    change("constraints.scale.replicas.max", 4, exposed("slow")),
    wait(live("slow")),
)

FLAKY = (apply("flaky", live("flaky")),)

ALL = {
    "a first version serves": FIRST,
    "a better version is promoted": PROMOTED,
    "an inaccurate version is rejected at the gate": REFUSED,
    "an evaluation is killed once": FLAKY,
    "a failing version is rolled back, a fixed one rolls out": FIXED,
    "A, then B, then A again in mid-canary": BACK_AND_FORTH,
    "C is declared while B rolls back": OVERTAKEN,
    "deleted in mid-canary": DELETED,
    "aborted by hand, and tried again": ABORTED,
    "rolled back by hand from live": BY_HAND,
    "rejected under load, until a suggestion is taken": SLOW,
    "a step that a person approves": APPROVED,
    "promoted by hand": AT_ONCE,
    "promoted by a bypass in mid-canary": UNMEASURED,
    "all pods of a candidate crash": CRASHING,
    "withdrawn with its node, and back": NODE_LOST,
}
