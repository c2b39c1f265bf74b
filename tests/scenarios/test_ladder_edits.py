"""Steps and holdback are edited in mid-canary, or have another default after an upgrade."""

from __future__ import annotations

from typing import Any

import pytest

from merit.api import defaults
from tests.scenarios.scripts import rollouts, steps
from tests.scenarios.scripts.steps import apply, change, exposed, live, set_errors, weighs
from tests.world import traffic
from tests.world.manifests import manifest
from tests.world.world import World

AT_50 = (*rollouts.FIRST, apply("better", exposed("better")), steps.wait(weighs("better", 50)))
EDITS: dict[str, tuple[str, Any]] = {
    "shorter": ("rollout.steps", [10]),
    "longer": ("rollout.steps", [10, 20, 30, 40, 50, 60, 80]),
    "other": ("rollout.steps", [30, 70]),
    "below": ("rollout.steps", [1, 5]),
    "above": ("rollout.steps", [99]),
    "more held back": ("rollout.holdback", {"weight": 50, "duration": "30s"}),
    "less held back": ("rollout.holdback", {"weight": 1, "duration": "30s"}),
}


def requests(signal: dict[str, Any]) -> float:
    return float(signal["canary"].split()[0])


def proof(signal: dict[str, Any], of: int) -> float:
    """The log e-value for a step, an index."""
    numbers = [float(part) for part in signal["proven"].split()]
    return numbers[: len(numbers) // 2][of]


@pytest.mark.parametrize("name", EDITS)
async def test_whatever_the_steps_become_a_share_never_falls_and_a_good_version_gets_through(
    name: str,
) -> None:
    world = await World(AT_50).play()
    path, value = EDITS[name]
    change(path, value, lambda w: True).do(world)
    least = 50
    while "candidate" in world.status:
        await world.advance(5.0)
        weight = world.weights.get("better", 0)
        assert weight >= least and world.now < 1_800_003_600.0
        least = weight
    assert live("better")(world)
    # The number of a step counts in the ladder of its time.
    assert not [v for v in world.invariants.violations if "S6: step" not in v]


@pytest.mark.parametrize("name", EDITS)
async def test_whatever_the_steps_become_a_version_that_turns_bad_is_rolled_back(name: str) -> None:
    world = await World(AT_50).play()
    path, value = EDITS[name]
    change(path, value, lambda w: True).do(world)
    set_errors("better", steps.BAD, lambda w: True).do(world)
    await world.run(steps.rolled_back, 300.0, "rolled back under the edited steps")


async def test_edited_steps_keep_the_evidence_against_a_version_and_not_what_was_proven() -> None:
    world = await World(AT_50).play()
    await world.advance(6.0)
    before = world.status["analysis"]["signals"][0]
    change("rollout.steps", [10, 60], lambda w: True).do(world)
    await world.advance(1.0)
    after = world.status["analysis"]["signals"][0]
    assert requests(after) >= requests(before) > 0, "it counts on"
    assert proof(after, -1) < proof(before, -1), "and is to be proven again"
    assert "begins anew for its next step" in world.status["decisions"][0]["what"]
    assert "10%, 60%, 90%" in world.status["decisions"][0]["why"]


async def test_another_default_after_an_upgrade_keeps_the_share_and_the_rollback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    undeclared = manifest("better")
    del undeclared["spec"]["rollout"]["steps"]
    script = (*rollouts.FIRST, steps.apply_object(undeclared, exposed("better")))
    world = await World((*script, steps.wait(weighs("better", 50)))).play()
    monkeypatch.setattr(defaults, "STEPS", (2, 20))
    upgraded = world.fork()
    await upgraded.advance(20.0)
    assert upgraded.weights["better"] >= 50
    set_errors("better", steps.BAD, lambda w: True).do(upgraded)
    await upgraded.run(steps.rolled_back, 300.0, "rolled back under the new default")


@pytest.mark.parametrize("declared", [[100], [90], [95, 99]])
async def test_a_ladder_of_one_step_is_proven_before_its_holdback_begins(
    declared: list[int],
) -> None:
    world = await World(rollouts.FIRST).play()
    at_once = manifest("better")
    at_once["spec"]["rollout"] |= {"steps": declared, "minDuration": "10m"}
    steps.apply_object(at_once, lambda w: True).do(world)
    world.traffic.rps = 0.0
    await world.run(weighs("better", 90), 300.0, "it has its first share")
    await world.advance(3600.0)
    assert world.weights == {"good": 10, "better": 90}
    assert world.status["candidate"]["stage"] == "Rollout"


async def test_bars_that_are_edited_during_the_holdback_are_to_be_proven_too() -> None:
    script = (*AT_50, steps.wait(weighs("better", 90)))
    world = await World(script).play()
    assert world.status["candidate"]["stage"] == "Holdback"
    world.traffic.rps = 0.0
    change("constraints.errors", {"max": "0.5%"}, lambda w: True).do(world)
    await world.advance(600.0)
    assert world.version("stable") == "good" and world.weights["better"] == 90
    world.traffic.rps = traffic.RPS
    await world.run(live("better"), 900.0, "through under the new bars")
