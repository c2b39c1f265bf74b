"""Live versions: what is blamed on them by a comparison, and what never is."""

from __future__ import annotations

from typing import Literal

import pytest

from tests.scenarios.scripts import live_monitoring, rollouts, steps
from tests.scenarios.scripts.steps import exposed
from tests.world.crashes import disturbed_anywhere, killed_anywhere
from tests.world.world import World


@pytest.mark.parametrize("name", live_monitoring.ALL)
async def test_a_live_script_ends_as_it_should_and_breaks_no_invariant(name: str) -> None:
    world = await World(live_monitoring.ALL[name]).play()
    await world.advance(300.0)
    assert not world.invariants.violations


@pytest.mark.parametrize(
    "name",
    [
        "rolled back",
        pytest.param("shared", marks=pytest.mark.slow),
        pytest.param("pods crash", marks=pytest.mark.slow),
    ],
)
async def test_killed_at_any_write_of_a_comparison_it_ends_the_same(name: str) -> None:
    async for _ in killed_anywhere(live_monitoring.CRASHED[name], least=11):
        pass


async def test_during_a_comparison_it_is_ready_and_trust_is_unknown() -> None:
    world = await World(live_monitoring.COMPARED).play()
    conditions = {c["type"]: (c["status"], c["reason"]) for c in world.status["conditions"]}
    assert (world.status["phase"], world.status["trust"]) == ("Comparing", "Comparing")
    assert conditions["Ready"] == ("True", "Comparing")
    assert conditions["Trusted"] == ("Unknown", "Comparing")
    assert world.weights == {"better": 50, "good": 50}
    assert not world.status.get("rejected")


async def test_a_shared_outage_alerts_once_and_is_compared_once_an_hour() -> None:
    world = await World(live_monitoring.SHARED).play()
    before = len(world.notes)
    await world.advance(3000.0)
    assert len(world.notes) == before
    assert world.weights == {"better": 100}
    await world.advance(1500.0)
    assert world.notes[before:] == ["Comparing", "Comparing", "SharedFailure"]
    assert not world.status.get("rejected")


async def test_a_warm_predecessor_is_compared_at_once() -> None:
    script = (*live_monitoring.WARM, steps.set_errors("better", steps.BAD, exposed("good")))
    world = await World(script).play()
    alarm = world.status["alarm"]
    assert world.status["comparison"]["since"] == alarm["at"]


async def test_after_a_rollback_a_predecessor_that_turns_bad_too_is_not_rolled_back() -> None:
    world = await World(live_monitoring.WARM_TAKEN_BACK).play()
    world.traffic.set_errors("good", steps.BAD)
    await world.run(steps.alarmed("NoHealthyRevision", "good"), 900.0, "an alarm alone")
    await world.advance(7200.0)
    assert world.weights == {"good": 100}
    assert not world.invariants.violations


async def test_live_monitoring_begins_with_the_dispersion_of_the_rollout() -> None:
    world = await World(rollouts.PROMOTED).play()
    assert world.status["watch"]["of"].startswith(world.status["stable"]["short"])
    assert set(world.status["watch"]["phi"]) == {"errors", "latency/p99"}


async def test_a_restarted_operator_continues_with_the_recorded_statistic() -> None:
    world = await World(live_monitoring.WARM).play()
    world.traffic.set_errors("better", steps.BAD)
    await world.advance(45.0)
    assert not world.status.get("alarm")
    restarted = world.fork()
    await restarted.run(lambda w: bool(w.status.get("comparison")), 75.0, "an alarm")


@pytest.mark.parametrize("fault", ["conflict", pytest.param("lose_answer", marks=pytest.mark.slow)])
async def test_a_disturbed_write_of_a_comparison_changes_nothing_of_the_outcome(
    fault: Literal["conflict", "lose_answer"],
) -> None:
    async for _ in disturbed_anywhere(live_monitoring.COLD_TAKEN_BACK, fault):
        pass


async def test_a_status_lost_in_a_comparison_ends_it_and_the_live_version_has_all_traffic() -> None:
    script = (*live_monitoring.COLD, steps.set_errors("better", steps.BAD, exposed("good")))
    world = await World(script).play()
    world.traffic.set_errors("better", 0.0)
    ref = ("ModelDeployment", *world.key)
    world.store.patch(ref, {"status": dict.fromkeys(world.status)}, "restore", "status")
    await world.run(lambda w: w.weights == {"better": 100}, 60.0, "all of it is back")
    await world.advance(300.0)
    assert steps.live("better")(world)
    assert not world.invariants.violations
