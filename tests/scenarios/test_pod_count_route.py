"""Shares by pod count: one Service before both revisions, and no gateway."""

from __future__ import annotations

import pytest

from tests.scenarios.scripts.steps import (
    USER,
    annotate,
    apply_object,
    change,
    condemned,
    exposed,
    handled,
    live,
)
from tests.world.manifests import NAME, by_pod_count, manifest
from tests.world.world import World

FRONT = ("Service", "risk", NAME)


def pods(world: World) -> dict[str, int]:
    """Declared pods by version."""
    return {
        world.traffic.versions[d["metadata"]["name"].rpartition("-")[2]]: d["spec"]["replicas"]
        for d in world.store.all("Deployment")
    }


@pytest.mark.parametrize("lag", [0.0, 0.7])
async def test_a_better_version_is_promoted_by_pod_count_without_any_route(lag: float) -> None:
    world = World((apply_object(by_pod_count("good"), live("good")),), lag=lag, per_pod=True)
    await world.play()
    assert not list(world.store.all("HTTPRoute"))
    world.script = (*world.script, apply_object(by_pod_count("better"), exposed("better")))
    await world.play()
    assert pods(world) == {"good": 4, "better": 1}
    assert world.weights == {"good": 80, "better": 20}
    await world.run(lambda w: w.weights.get("better") == 50, 900.0, "the next step")
    assert pods(world) == {"good": 4, "better": 4}
    await world.run(live("better"), 900.0, "promoted")
    assert "merit.dev/revision" in world.store.objects[FRONT]["spec"]["selector"]
    assert not world.invariants.violations


async def test_promote_starts_the_pods_of_the_last_step_and_then_promotes() -> None:
    slow = by_pod_count("better", approvals=[50], holdback={"weight": 10, "duration": "1h"})
    world = World(
        (
            apply_object(by_pod_count("good"), live("good")),
            apply_object(slow, exposed("better")),
        ),
        per_pod=True,
    )
    await world.play()
    asked = world.now
    annotate(world, "promote", "CANDIDATE")
    await world.run(lambda w: pods(w)["better"] == 8, 5.0, "its last step")
    assert world.version("stable") == "good" and "lastHandled" not in world.status
    await world.run(lambda w: w.version("stable") == "better", 60.0, "once they are ready")
    assert world.now - asked >= 1.0 and handled("promote")(world)
    await world.run(live("better"), 60.0, "all traffic")
    assert pods(world)["better"] >= 4
    assert not world.invariants.violations


async def test_promote_by_pod_count_waits_while_paused_and_adds_no_pod() -> None:
    world = World(
        (
            apply_object(by_pod_count("good"), live("good")),
            apply_object(by_pod_count("better"), exposed("better")),
        ),
        per_pod=True,
    )
    await world.play()
    change("paused", True, lambda w: True).do(world)
    await world.advance(5.0)
    annotate(world, "promote", "CANDIDATE")
    await world.advance(60.0)
    assert pods(world) == {"good": 4, "better": 1}
    change("paused", False, lambda w: True).do(world)
    await world.run(live("better"), 120.0, "it goes on")
    assert not world.invariants.violations


async def test_the_condition_says_that_weights_are_approximate_and_which_steps_are_skipped() -> (
    None
):
    world = World(
        (
            apply_object(by_pod_count("good"), live("good")),
            apply_object(by_pod_count("better", steps=[1, 10, 25, 50]), exposed("better")),
        ),
        per_pod=True,
    )
    await world.play()
    await world.advance(5.0)
    shifted = {c["type"]: c for c in world.status["conditions"]}["TrafficShifted"]
    assert shifted["status"] == "True"
    assert "approximate" in shifted["message"]
    assert "1%, 10%" in shifted["message"]
    assert world.status["phase"] == "Canary 20%"


async def test_a_failing_version_loses_its_pods_with_its_share() -> None:
    world = World(
        (
            apply_object(by_pod_count("good"), live("good")),
            apply_object(by_pod_count("failing"), condemned),
        ),
        per_pod=True,
    )
    await world.play()
    since = world.now
    await world.run(lambda w: pods(w) == {"good": 4}, 20.0, "its pods are gone")
    assert world.now - since <= 2.0
    assert world.weights == {"good": 100}
    await world.advance(60.0)
    assert world.status["phase"] == "RolledBack"
    assert not world.invariants.violations


async def test_connections_to_the_predecessor_end_before_it_is_kept_ready() -> None:
    world = World(
        (
            apply_object(by_pod_count("good"), live("good")),
            apply_object(by_pod_count("better"), exposed("better")),
        ),
        per_pod=True,
    )
    await world.play()
    await world.run(lambda w: w.version("stable") == "better", 1800.0, "promoted")
    assert pods(world)["good"] == 4  # a node may not have heard of it yet
    await world.advance(10.0)
    assert pods(world)["good"] == 0
    await world.advance(35.0)
    assert pods(world)["good"] == 4  # warm again, and the Service leaves it out
    assert world.weights == {"better": 100}


async def test_a_predecessor_that_is_kept_ready_gets_nothing_of_the_next_rollout() -> None:
    better = by_pod_count("better")
    better["spec"]["rollbackPolicy"]["keepWarm"] = "4h"
    world = World(
        (
            apply_object(by_pod_count("good"), live("good")),
            apply_object(better, live("better"), hold=60.0),
            apply_object(by_pod_count("fixed"), exposed("fixed")),
        ),
        per_pod=True,
    )
    await world.play()
    assert set(world.weights) == {"better", "fixed"}
    assert pods(world)["good"] == 0
    assert not world.invariants.violations


async def test_a_service_deleted_in_mid_canary_comes_back_with_the_stable_pods_only() -> None:
    world = World(
        (
            apply_object(by_pod_count("good"), live("good")),
            apply_object(by_pod_count("better"), exposed("better")),
        ),
        per_pod=True,
    )
    await world.play()
    world.store.delete(FRONT, "kubectl")
    await world.run(lambda w: FRONT in w.store.objects, 10.0, "it is back")
    await world.advance(2.0)
    assert world.weights == {"good": 100}
    await world.advance(18.0)
    assert pods(world)["better"] == 0  # whoever is connected to it is sent away
    await world.run(live("better"), 1800.0, "and the rollout starts again")
    assert not world.invariants.violations


async def test_a_candidate_scaled_by_hand_is_scaled_back_to_its_share() -> None:
    world = World(
        (
            apply_object(by_pod_count("good"), live("good")),
            apply_object(by_pod_count("better"), exposed("better")),
        ),
        per_pod=True,
    )
    await world.play()
    called = next(d["metadata"]["name"] for d in world.store.all("Deployment")
                  if world.traffic.versions[d["metadata"]["name"][-8:]] == "better")  # fmt: skip
    world.store.patch(("Deployment", "risk", called), {"spec": {"replicas": 6}}, "kubectl", "scale")
    await world.advance(10.0)
    assert pods(world) == {"good": 4, "better": 1}


async def test_without_metrics_per_pod_it_is_refused_with_a_remedy() -> None:
    world = World(
        (apply_object(by_pod_count("good"), lambda w: w.status.get("phase") == "Invalid"),)
    )
    await world.play()
    assert "spec.rollout.route.replicas: needs counts per pod" in world.status["summary"]
    assert not world.invariants.jobs


async def test_the_kind_of_route_cannot_change_while_a_revision_serves() -> None:
    world = World((apply_object(by_pod_count("good"), live("good")),), per_pod=True)
    await world.play()
    world.store.apply(manifest("good"), USER)
    await world.advance(30.0)
    assert "the kind of route stays" in world.status["summary"]
    assert not list(world.store.all("HTTPRoute"))
    assert world.weights == {"good": 100}
    world.store.apply(by_pod_count("good"), USER)
    await world.run(live("good"), 30.0, "put back")


@pytest.mark.parametrize("end", ["better", "failing"])
async def test_killed_at_any_write_it_ends_the_same(end: str) -> None:
    until = live("better") if end == "better" else condemned
    script = (
        apply_object(by_pod_count("good"), live("good")),
        apply_object(by_pod_count(end), until),
    )
    copies: list[World] = []
    world = World(script, per_pod=True)

    def keep(number: int) -> None:
        if world.position == 1 and number % 2:
            copies.append(world.fork())

    world.server.after = keep
    await world.play()
    await world.advance(200.0)
    expected = (pods(world), world.weights, world.status["phase"])
    for copied in copies:
        await copied.play()
        await copied.advance(200.0)
        assert (pods(copied), copied.weights, copied.status["phase"]) == expected
        assert not copied.invariants.violations
    assert len(copies) > 5
