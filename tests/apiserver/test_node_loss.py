"""A node is lost, or emptied, in the middle of a rollout: the model is not to blame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from merit.api.names import LABEL_NAME
from tests.apiserver.nodes import REVISION
from tests.apiserver.processes import eventually, operator_running
from tests.apiserver.stage import Stage, canary, live, scaled, unblamed, weighs
from tests.world.manifests import manifest
from tests.world.pods import CRASH_LOOP, NOT_READY, OOM_KILLED_ONCE, created

pytestmark = pytest.mark.apiserver
WARM = manifest("good")["spec"]["rollbackPolicy"] | {"keepWarm": "24h"}
HANGS = 400.0  # seconds until the pods of a lost node are replaced elsewhere, and some more


def pods_of_stable(stage: Stage) -> int:
    """The replicas of its Deployment."""
    name = f"fraud-scorer-{stage.status['stable']['short']}"
    return int(stage.store.objects["Deployment", stage.key.namespace, name]["spec"]["replicas"])


async def test_a_lost_node_is_weight_0_and_the_next_operator_starts_the_candidate_again(
    stage: Stage, tmp_path: Path
) -> None:
    nodes = await canary(stage, 50)
    async with operator_running(stage, tmp_path):
        assert weighs(50)(stage)
        nodes.lose("c")
        await eventually(lambda: stage.sends_all_to("good"))
    stage.restart_operator()  # and another operator, which knows nothing
    await stage.advance(60.0)
    assert stage.status["phase"] == "Withdrawn" and unblamed(stage)
    assert "it was at 50%, step 2 of 3" in stage.describe()
    assert (
        "start again at 10%, with no evidence carried over, when 2 of its pods" in stage.describe()
    )
    assert nodes.where("better") == "cc"  # and they stay there
    await stage.run(weighs(10), "at its first step again", limit=HANGS)
    assert "c" not in nodes.where("better")
    stage.restart_operator()
    await stage.run(live("better"), "and through")
    assert unblamed(stage)


async def test_one_lost_node_of_several_holds_the_step_and_scales_nothing_down(
    stage: Stage,
) -> None:
    nodes = stage.use_nodes("abc")
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

    await stage.run(until(stage.clock() + 250.0), "the pods of the lost node stay")
    assert "2 of 3 pods ready, before 90% is entered" in stage.describe()
    await stage.run(weighs(90), "replaced on the other nodes", limit=HANGS)
    assert "b" not in nodes.where("good") + nodes.where("better")
    await stage.run(live("better"), "promoted")
    assert floor == {3} and unblamed(stage)


async def test_stables_lost_node_blames_no_version_and_stable_keeps_its_replicas(
    stage: Stage,
) -> None:
    nodes = await canary(stage, 10)
    for name in "ab":
        nodes.lose(name)
    stage.traffic.set_errors("good", 1.0)  # no pod is left to answer
    replicas: set[int] = set()

    def promoted(stage: Stage) -> bool:
        if stage.status["stable"]["version"] == "good":
            replicas.add(pods_of_stable(stage))
        return live("better")(stage)

    await stage.run(promoted, "promoted on its own evidence")
    assert replicas == {2} and unblamed(stage)


async def test_a_crashing_candidate_is_rejected_though_stable_has_no_pod_left(stage: Stage) -> None:
    nodes = await canary(stage, 10)
    for name in "ab":
        nodes.lose(name)
    await stage.step()
    assert weighs(10)(stage)
    stage.actors.pod_status["better"] = (8, CRASH_LOOP)
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
            assert stage.weights["better"] in (10, 50), stage.describe()
        nodes.restore(name)
    assert refused and unblamed(stage)
    await stage.run(live("better"), "promoted")
    assert unblamed(stage) and "Withdrawn" not in stage.notes


async def test_a_model_that_was_loading_on_a_lost_node_has_its_whole_deadline_again(
    stage: Stage,
) -> None:
    nodes = stage.use_nodes("ab")
    nodes.cordon("b")
    stage.declare("good")
    await stage.run(live("good"), "the first version serves")
    nodes.restore("b")
    nodes.cordon("a")
    stage.actors.pod_status["better"] = (8, NOT_READY)
    stage.declare("better")
    await stage.run(lambda s: nodes.where("better") == "bb", "it loads")
    nodes.lose("b")
    nodes.restore("a")
    await stage.advance(290.0)
    stage.actors.deadline_exceeded = True  # the Deployment says so after five minutes
    await stage.run(lambda s: nodes.where("better") == "aa", "replaced", limit=HANGS)
    await stage.advance(60.0)
    assert unblamed(stage)
    stage.actors.pod_status.clear()
    await stage.run(live("better"), "promoted")


async def test_a_live_version_that_loses_its_node_is_reported_helped_and_not_blamed(
    stage: Stage,
) -> None:
    nodes = stage.use_nodes("ab")
    nodes.cordon("b")
    stage.declare("good", rollbackPolicy=WARM)
    await stage.run(live("good"), "the first version serves")
    nodes.restore("b")
    nodes.cordon("a")
    stage.declare("better", rollbackPolicy=WARM)
    await stage.run(live("better"), "the second one serves")
    await stage.advance(60.0)
    nodes.restore("a")
    nodes.lose("b")
    stage.traffic.set_errors("better", 1.0)  # no pod is left to answer
    await stage.step()
    short = stage.status["stable"]["short"]
    assert stage.condition("Available")["message"] == f"{short} has 100% and no ready pod"
    await stage.run(lambda s: s.weights.get("good") == 50, "its predecessor helps")
    await stage.run(lambda s: nodes.where("better") == "aa", "replaced", limit=HANGS)
    # However long the step has taken in real time: there are no errors once its pods are ready.
    pods = [p for p in nodes.pods("a") if p["metadata"]["labels"].get(REVISION) == short]
    replaced = min(created(pod) for pod in pods)
    stage.traffic.set_errors("better", 0.0005, since=replaced)
    await stage.advance(120.0)
    assert unblamed(stage) and stage.condition("Available")["status"] == "True"


async def test_pods_that_nodes_without_memory_evict_are_not_added_up(stage: Stage) -> None:
    nodes = await canary(stage, 10)
    stage.actors.pod_status["better"] = (1, OOM_KILLED_ONCE)
    for name in ("c", "a"):
        await stage.step()
        nodes.run_out_of_memory(name)
        await stage.advance(30.0)
    assert sum(p["status"].get("phase") == "Failed" for p in stage.store.all("Pod")) >= 3
    await stage.run(live("better"), "promoted")
    assert unblamed(stage)
