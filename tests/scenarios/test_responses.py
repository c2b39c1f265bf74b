"""Responses that leave the decision to a person, and pods that fail under two revisions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scenarios.scripts import live_monitoring, rollouts, steps, zero_tolerance
from tests.scenarios.scripts.steps import (
    POLICY,
    annotate,
    apply_object,
    edit,
    exposed,
    live,
    weighs,
)
from tests.world.alerts import AlertBoard
from tests.world.manifests import by_pod_count
from tests.world.pods import CRASH_LOOP, NOT_READY, pod_status
from tests.world.world import World

STUMBLES = pod_status(
    ready=True,
    restartCount=3,
    state={"running": {}},
    lastState={"terminated": {"exitCode": 1, "reason": "Error"}},
)  # it came back, as it did before
BY_HAND = {"rollbackPolicy": POLICY | {"automatic": False}}


async def stumbling(**parts: Any) -> tuple[World, AlertBoard]:
    """A candidate at its first step whose pods end again and again, and come back."""
    board = AlertBoard()
    script = (*rollouts.FIRST, edit(exposed("better"), "better", **parts))
    world = await World(script, outbox=board).play()
    world.set_pods("better", 8, STUMBLES)
    return world, board


async def test_a_candidate_whose_pods_restart_again_and_again_is_rolled_back() -> None:
    world, _ = await stumbling()
    await world.run(lambda w: w.weights == {"good": 100}, 5.0, "it is rolled back")
    assert world.status["rejected"][0]["reason"] == "CrashLoop"


async def test_where_only_a_person_rolls_back_restarts_hold_it_and_send_one_alert() -> None:
    world, board = await stumbling(**BY_HAND)
    await world.advance(900.0)
    assert world.weights == {"good": 90, "better": 10} and not world.status.get("rejected")
    alert = board.of(world)["MeritBreached"]
    labels = {name: alert.labels[name] for name in ("reason", "severity", "signal", "who")}
    assert labels == {
        "reason": "CrashLoop", "severity": "critical", "signal": "pods", "who": "candidate",
    }  # fmt: skip
    assert board.ever.count("MeritBreached") == world.notes.count("CrashLoop") == 1
    world.heal_pods()
    await world.run(live("better"), 900.0, "it goes on once they stand")


async def test_where_only_a_person_rolls_back_no_ready_pod_means_weight_0_and_no_rejection() -> (
    None
):
    board = AlertBoard()
    script = (*rollouts.FIRST, edit(exposed("better"), "better", **BY_HAND))
    world = await World(script, outbox=board).play()
    world.set_pods("better", 8, CRASH_LOOP)
    await world.run(lambda w: w.weights == {"good": 100}, 1.0, "weight 0")
    await world.advance(900.0)
    assert world.status["phase"] == "Withdrawn" and not world.status.get("rejected")
    assert "rollback" not in world.mdep["spec"]
    alert = board.of(world)["MeritBreached"]
    assert (alert.labels["signal"], alert.labels["who"]) == ("pods", "candidate")
    world.heal_pods()
    await world.run(live("better"), 900.0, "it goes on once they stand")


@pytest.mark.parametrize("verb", ["promote", "abort"])
async def test_a_person_decides_about_pods_that_restart(verb: str) -> None:
    world, _ = await stumbling(**BY_HAND)
    await world.advance(60.0)
    annotate(world, verb, "CANDIDATE")
    version = "better" if verb == "promote" else "good"
    await world.run(lambda w: w.weights == {version: 100}, 60.0, verb)


async def test_newer_content_replaces_a_candidate_whose_pods_restart() -> None:
    world, _ = await stumbling(**BY_HAND)
    await world.advance(60.0)
    steps.apply("fixed", live("fixed")).do(world)
    await world.run(live("fixed"), 900.0, "the repair")


async def test_a_held_candidate_is_not_promoted_at_the_end_of_its_holdback() -> None:
    modes = [{"name": "leaks", "signal": "signals/leaks", "response": "Hold"}]
    parts = zero_tolerance.PARTS | {
        "failureModes": [*zero_tolerance.PARTS["failureModes"][:-1], *modes]
    }
    script = (*rollouts.FIRST, edit(weighs("better", 90), "better", **parts))
    world = await World(script).play()
    world.traffic.record_event()
    await world.advance(240.0)  # the holdback is 30 s
    assert weighs("better", 90)(world)
    assert {stage["reason"] for stage in world.status["flow"]} >= {"Vetoed"}
    await world.run(live("better"), 300.0, "it is over")


async def test_by_pod_count_a_withdrawn_candidate_waits_until_open_connections_have_ended() -> None:
    first = apply_object(by_pod_count("good"), live("good"))
    world = await World(
        (
            first,
            apply_object(by_pod_count("better"), exposed("better")),
        ),
        per_pod=True,
    ).play()
    world.set_pods("better", 8, NOT_READY)
    await world.run(lambda w: w.status["phase"] == "Withdrawn", 30.0, "it is withdrawn")
    since = world.now
    world.heal_pods()
    await world.run(
        lambda w: (w.status.get("candidate") or {}).get("stage") == "Rollout", 120.0, "again"
    )
    assert 30.0 <= world.now - since < 60.0
    assert not world.invariants.violations


async def test_while_all_pods_of_the_live_version_crash_a_good_candidate_is_promoted() -> None:
    board = AlertBoard()
    script = (*live_monitoring.COLD, steps.apply("fixed", exposed("fixed")))
    world = await World(script, outbox=board).play()
    world.traffic.set_errors("better", 1.0)
    steps.crash_loop("better", lambda w: True).do(world)
    await world.advance(20.0)
    assert world.status["alarm"]["held"] == "CandidateExposed"
    assert world.weights == {"better": 90, "fixed": 10}, "only proof raises a weight"
    alert = board.of(world)["MeritBreached"].labels
    assert (alert["severity"], alert["signal"], alert["who"]) == ("critical", "pods", "live")
    await world.run(live("fixed"), 900.0, "and it is proven")
    assert not world.status.get("alarm") and not world.invariants.violations


@pytest.mark.parametrize("warm", [True, False])
async def test_when_the_candidates_pods_crash_too_the_predecessor_takes_over(warm: bool) -> None:
    before = live_monitoring.WARM if warm else live_monitoring.COLD
    world = await World((*before, steps.apply("fixed", exposed("fixed")))).play()
    for version in ("better", "fixed"):
        steps.crash_loop(version, lambda w: True).do(world)
    await world.run(lambda w: w.weights == {"good": 100}, 300.0, "what was promoted before")
    assert [entry["version"] for entry in world.status["rejected"]] == ["better"]
    await world.advance(900.0)
    assert world.weights == {"good": 100}
    assert not world.invariants.violations
