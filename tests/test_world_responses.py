"""What is left to people, what a declared response holds, and who serves when pods of both end."""

from __future__ import annotations

from typing import Any

import pytest

from tests.test_world_alarms import Board
from tests.test_world_replicas import by_pods, declare, new_world
from tests.world import never, scenarios, watching
from tests.world.ailing import LOOP, LOST, ail, pod, well
from tests.world.scenarios import annotate, exposed, live, weighs
from tests.world.watching import POLICY, edit
from tests.world.world import World

STUMBLES = pod(
    ready=True,
    restartCount=3,
    state={"running": {}},
    lastState={"terminated": {"exitCode": 1, "reason": "Error"}},
)  # it came back, as it did before
BY_HAND = {"rollbackPolicy": POLICY | {"automatic": False}}


async def stumbling(**parts: Any) -> tuple[World, Board]:
    """A candidate at its first step whose pods end again and again, and come back."""
    board = Board()
    script = (*scenarios.FIRST, edit(exposed("better"), "better", **parts))
    world = await World(script, outbox=board).play()
    ail(world, "better", 8, STUMBLES)
    return world, board


async def test_pods_that_end_and_come_back_cost_a_candidate_its_traffic() -> None:
    world, _ = await stumbling()
    await world.run(lambda w: w.weights == {"good": 100}, 5.0, "it is taken back")
    assert world.status["rejected"][0]["reason"] == "CrashLoop"


async def test_where_a_person_takes_back_they_hold_it_and_the_owner_is_told_once() -> None:
    world, board = await stumbling(**BY_HAND)
    await world.rest(900.0)
    assert world.weights == {"good": 90, "better": 10} and not world.status.get("rejected")
    told = board.of(world)["MeritBreached"]
    said = {name: told.labels[name] for name in ("reason", "severity", "signal", "who")}
    assert said == {
        "reason": "CrashLoop", "severity": "critical", "signal": "pods", "who": "candidate",
    }  # fmt: skip
    assert board.ever.count("MeritBreached") == world.notes.count("CrashLoop") == 1
    well(world)
    await world.run(live("better"), 900.0, "it goes on once they stand")


async def test_where_a_person_takes_back_no_pod_up_is_weight_0_and_the_verdict_is_theirs() -> None:
    board = Board()
    script = (*scenarios.FIRST, edit(exposed("better"), "better", **BY_HAND))
    world = await World(script, outbox=board).play()
    ail(world, "better", 8, LOOP)
    await world.run(lambda w: w.weights == {"good": 100}, 1.0, "weight 0")
    await world.rest(900.0)
    assert world.status["phase"] == "Withdrawn" and not world.status.get("rejected")
    assert "rollback" not in world.mdep["spec"]
    told = board.of(world)["MeritBreached"]
    assert (told.labels["signal"], told.labels["who"]) == ("pods", "candidate")
    well(world)
    await world.run(live("better"), 900.0, "it goes on once they stand")


@pytest.mark.parametrize("verb", ["promote", "abort"])
async def test_a_person_decides_about_pods_that_end(verb: str) -> None:
    world, _ = await stumbling(**BY_HAND)
    await world.rest(60.0)
    annotate(world, verb, "CANDIDATE")
    version = "better" if verb == "promote" else "good"
    await world.run(lambda w: w.weights == {version: 100}, 60.0, verb)


async def test_newer_content_takes_over_from_one_whose_pods_end() -> None:
    world, _ = await stumbling(**BY_HAND)
    await world.rest(60.0)
    scenarios.apply("fixed", live("fixed")).do(world)
    await world.run(live("fixed"), 900.0, "the repair")


async def test_what_a_response_holds_is_not_promoted_at_the_end_of_its_holdback() -> None:
    modes = [{"name": "leaks", "signal": "signals/leaks", "response": "Hold"}]
    parts = never.PARTS | {"failureModes": [*never.PARTS["failureModes"][:-1], *modes]}
    script = (*scenarios.FIRST, edit(weighs("better", 90), "better", **parts))
    world = await World(script).play()
    world.traffic.happens()
    await world.rest(240.0)  # the holdback is 30 s
    assert weighs("better", 90)(world)
    assert {stage["reason"] for stage in world.status["flow"]} >= {"Vetoed"}
    await world.run(live("better"), 300.0, "it is over")


async def test_by_pod_count_a_withdrawn_candidate_rests_until_open_connections_have_ended() -> None:
    first = declare(by_pods("good"), live("good"))
    world = await new_world(first, declare(by_pods("better"), exposed("better"))).play()
    ail(world, "better", 8, LOST)
    await world.run(lambda w: w.status["phase"] == "Withdrawn", 30.0, "it is withdrawn")
    since = world.now
    well(world)
    await world.run(
        lambda w: (w.status.get("candidate") or {}).get("stage") == "Rollout", 120.0, "again"
    )
    assert 30.0 <= world.now - since < 60.0
    assert not world.monitor.violations


async def test_while_pods_of_what_is_live_all_end_a_good_candidate_is_the_repair() -> None:
    board = Board()
    script = (*watching.COLD, scenarios.apply("fixed", exposed("fixed")))
    world = await World(script, outbox=board).play()
    world.traffic.turn("better", 1.0)
    watching.loops("better", lambda w: True).do(world)
    await world.rest(20.0)
    assert world.status["alarm"]["held"] == "CandidateExposed"
    assert world.weights == {"better": 90, "fixed": 10}, "only proof raises a weight"
    told = board.of(world)["MeritBreached"].labels
    assert (told["severity"], told["signal"], told["who"]) == ("critical", "pods", "live")
    await world.run(live("fixed"), 900.0, "and it is proven")
    assert not world.status.get("alarm") and not world.monitor.violations


@pytest.mark.parametrize("warm", [True, False])
async def test_when_the_candidates_pods_end_too_their_predecessor_takes_over(warm: bool) -> None:
    before = watching.WARM if warm else watching.COLD
    world = await World((*before, scenarios.apply("fixed", exposed("fixed")))).play()
    for version in ("better", "fixed"):
        watching.loops(version, lambda w: True).do(world)
    await world.run(lambda w: w.weights == {"good": 100}, 300.0, "what was promoted before")
    assert [entry["version"] for entry in world.status["rejected"]] == ["better"]
    await world.rest(900.0)
    assert world.weights == {"good": 100}
    assert not world.monitor.violations
