"""A node is lost, or emptied, in the middle of a rollout: the model is not to blame."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from merit.api.names import LABEL_NAME
from tests.apiserver.nodes import Nodes
from tests.apiserver.running import running, soon
from tests.apiserver.stage import Stage, live
from tests.world.ailing import LOOP, LOST, ONCE
from tests.world.manifests import manifest
from tests.world.traffic import weights

pytestmark = pytest.mark.apiserver
WARM = manifest("good")["spec"]["rollbackPolicy"] | {"keepWarm": "24h"}
HANGS = 400.0  # seconds until the pods of a lost node are made again elsewhere, and some more


def weighs(weight: int) -> Callable[[Stage], bool]:
    """The candidate has this share, and status knows."""
    return lambda stage: (
        stage.weights.get("better") == weight
        and (stage.status.get("candidate") or {}).get("weight") == weight
    )


async def canary(stage: Stage, weight: int) -> Nodes:
    """Stable on nodes a and b, the candidate alone on c, and with that share."""
    nodes = stage.on("abc")
    nodes.cordon("c")
    stage.declare("good")
    await stage.run(live("good"), "the first version serves")
    nodes.back("c")
    for name in "ab":
        nodes.cordon(name)
    stage.declare("better")
    await stage.run(weighs(weight), f"the candidate has {weight}%")
    for name in "ab":
        nodes.back(name)
    assert (nodes.where("good"), nodes.where("better")) == ("ab", "cc")
    return nodes


def scaled(pods: int) -> dict[str, Any]:
    """So many pods for each revision."""
    constraints = copy.deepcopy(manifest("good")["spec"]["constraints"])
    constraints["scale"] = {"rps": 200, "replicas": {"min": pods, "max": pods}}
    return {"constraints": constraints}


def story(stage: Stage) -> str:
    status = stage.status
    return f"{status.get('summary')} {(status.get('next') or {}).get('what')}"


def condition(stage: Stage, kind: str) -> dict[str, str]:
    found: dict[str, dict[str, str]] = {c["type"]: c for c in stage.status["conditions"]}
    return found[kind]


def pods_of_stable(stage: Stage) -> int:
    """How many its Deployment asks for."""
    name = f"fraud-scorer-{stage.status['stable']['short']}"
    found: int = stage.store.objects["Deployment", stage.key.namespace, name]["spec"]["replicas"]
    return found


def unblamed(stage: Stage) -> bool:
    return not stage.status.get("rejected") and stage.pin is None


def route_is(stage: Stage, version: str) -> bool:
    """The HTTPRoute as it stands on the server now sends all to that version."""
    stage.store.refresh()
    short = {v: s for s, v in stage.traffic.versions.items()}[version]
    route = stage.store.objects["HTTPRoute", stage.key.namespace, "fraud-scorer"]
    return weights(route) == {short: 100}


async def test_a_lost_node_is_weight_0_within_a_second_and_the_next_operator_starts_it_again(
    stage: Stage, tmp_path: Path
) -> None:
    nodes = await canary(stage, 50)
    async with running(stage, tmp_path):
        assert weighs(50)(stage)
        nodes.lose("c")
        began = time.monotonic()  # the API server has said so
        await soon(lambda: route_is(stage, "good"), 10.0)
        assert time.monotonic() - began < 1.0
    stage.start()  # and another operator, which knows nothing
    await stage.rest(60.0)
    assert stage.status["phase"] == "Withdrawn" and unblamed(stage)
    assert "it was at 50%, step 2 of 3" in story(stage)
    assert "start again at 10%, with no evidence carried over, when 2 of its pods" in story(stage)
    assert nodes.where("better") == "cc"  # and hangs there
    await stage.run(weighs(10), "at its first step again", limit=HANGS)
    assert "c" not in nodes.where("better")
    stage.start()
    await stage.run(live("better"), "and through")
    assert unblamed(stage)


async def test_one_node_of_several_holds_the_step_and_shrinks_nobody(stage: Stage) -> None:
    nodes = stage.on("abc")
    stage.declare("good", **scaled(3))
    await stage.run(live("good"), "the first version serves")
    stage.declare("better", **scaled(3))
    await stage.run(weighs(50), "half of the traffic")
    assert (nodes.where("good"), nodes.where("better")) == ("abc", "abc")
    nodes.lose("b")
    floor: set[int] = set()

    def until(at: float) -> Callable[[Stage], bool]:
        def passed(stage: Stage) -> bool:
            floor.add(pods_of_stable(stage))
            assert weighs(50)(stage)
            return stage.clock() >= at

        return passed

    await stage.run(until(stage.clock() + 250.0), "it hangs")
    assert "2 of 3 pods ready, before 90% is entered" in story(stage)
    await stage.run(weighs(90), "made again on the other nodes", limit=HANGS)
    assert "b" not in nodes.where("good") + nodes.where("better")
    await stage.run(live("better"), "promoted")
    assert floor == {3} and unblamed(stage)


async def test_stables_lost_node_is_held_against_nobody_and_its_pods_are_asked_for_all_the_time(
    stage: Stage,
) -> None:
    nodes = await canary(stage, 10)
    for name in "ab":
        nodes.lose(name)
    stage.traffic.turn("good", 1.0)  # nobody is there to answer
    asked: set[int] = set()

    def promoted(stage: Stage) -> bool:
        if stage.status["stable"]["version"] == "good":
            asked.add(pods_of_stable(stage))
        return live("better")(stage)

    await stage.run(promoted, "promoted on its own evidence")
    assert asked == {2} and unblamed(stage)


async def test_a_candidate_is_given_up_though_stable_has_no_pod_left(stage: Stage) -> None:
    nodes = await canary(stage, 10)
    for name in "ab":
        nodes.lose(name)
    await stage.step()
    assert weighs(10)(stage)
    stage.actors.ailing["better"] = (8, LOOP)
    await stage.at_once(lambda s: s.weights == {"good": 100}, "weight 0")
    await stage.run(lambda s: s.pin is not None, "rejected", limit=30.0)
    assert stage.status["rejected"][0]["reason"] == "PodsDown"


async def test_a_drain_is_slowed_by_the_budgets_and_moves_no_weight(stage: Stage) -> None:
    nodes = await canary(stage, 10)
    refused = 0
    for name in "cab":
        nodes.cordon(name)
        while left := [p for p in nodes.pods(name) if LABEL_NAME in p["metadata"]["labels"]]:
            refused += [nodes.evict(pod) for pod in left].count(False)
            await stage.step()
            assert stage.weights["better"] in (10, 50), story(stage)
        nodes.back(name)
    assert refused and unblamed(stage)
    await stage.run(live("better"), "promoted")
    assert unblamed(stage) and "Withdrawn" not in stage.notes


async def test_a_model_that_is_still_loading_on_a_lost_node_has_its_whole_time_again(
    stage: Stage,
) -> None:
    nodes = stage.on("ab")
    nodes.cordon("b")
    stage.declare("good")
    await stage.run(live("good"), "the first version serves")
    nodes.back("b")
    nodes.cordon("a")
    stage.actors.ailing["better"] = (8, LOST)
    stage.declare("better")
    await stage.run(lambda s: nodes.where("better") == "bb", "it loads")
    nodes.lose("b")
    nodes.back("a")
    await stage.rest(290.0)
    stage.actors.late = True  # the Deployment says so after five minutes
    await stage.run(lambda s: nodes.where("better") == "aa", "made again", limit=HANGS)
    await stage.rest(60.0)
    assert unblamed(stage)
    stage.actors.ailing.clear()
    await stage.run(live("better"), "promoted")


async def test_what_is_live_and_loses_its_node_is_told_gets_help_and_no_blame(stage: Stage) -> None:
    nodes = stage.on("ab")
    nodes.cordon("b")
    stage.declare("good", rollbackPolicy=WARM)
    await stage.run(live("good"), "the first version serves")
    nodes.back("b")
    nodes.cordon("a")
    stage.declare("better", rollbackPolicy=WARM)
    await stage.run(live("better"), "the second one serves")
    await stage.rest(60.0)
    nodes.back("a")
    nodes.lose("b")
    stage.traffic.turn("better", 1.0)  # nobody is there to answer
    await stage.step()
    short = stage.status["stable"]["short"]
    assert condition(stage, "Available")["message"] == f"{short} has 100% and no ready pod"
    await stage.run(lambda s: s.weights.get("good") == 50, "its predecessor helps")
    await stage.run(lambda s: nodes.where("better") == "aa", "made again", limit=HANGS)
    stage.traffic.turn("better", 0.0005)
    await stage.rest(120.0)
    assert unblamed(stage) and condition(stage, "Available")["status"] == "True"


async def test_what_a_node_without_memory_ends_is_not_added_up(stage: Stage) -> None:
    nodes = await canary(stage, 10)
    stage.actors.ailing["better"] = (1, ONCE)
    for name in ("c", "a"):
        await stage.step()
        nodes.starve(name)
        await stage.rest(30.0)
    assert sum(p["status"].get("phase") == "Failed" for p in stage.store.all("Pod")) >= 3
    await stage.run(live("better"), "promoted")
    assert unblamed(stage)
