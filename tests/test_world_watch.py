"""The watch that never ends: what is blamed on a live model, and what never is."""

from __future__ import annotations

from typing import Literal

import pytest

from tests.world import scenarios, watching
from tests.world.crashing import disturbed_anywhere, killed_anywhere
from tests.world.scenarios import exposed
from tests.world.world import World


@pytest.mark.parametrize("name", watching.ALL)
async def test_a_watched_model_ends_as_it_should_and_breaks_no_invariant(name: str) -> None:
    world = await World(watching.ALL[name]).play()
    await world.rest(300.0)
    assert not world.monitor.violations


@pytest.mark.parametrize("name", watching.CRASHED)
async def test_killed_at_any_write_of_a_comparison_it_ends_the_same(name: str) -> None:
    async for _ in killed_anywhere(watching.CRASHED[name], least=11):
        pass


async def test_a_comparison_leaves_it_ready_and_says_that_trust_is_open() -> None:
    script = (*watching.COLD, watching.turn("better", watching.BAD, exposed("good")))
    world = await World(script).play()
    conditions = {c["type"]: (c["status"], c["reason"]) for c in world.status["conditions"]}
    assert (world.status["phase"], world.status["trust"]) == ("Verifying", "Verifying")
    assert conditions["Ready"] == ("True", "Live")
    assert conditions["Trusted"] == ("Unknown", "Verifying")
    assert world.weights == {"better": 50, "good": 50}
    assert not world.status.get("rejected")


async def test_an_outage_that_both_share_alerts_once_and_is_compared_once_an_hour() -> None:
    world = await World(watching.SHARED).play()
    before = len(world.notes)
    await world.rest(3000.0)
    assert len(world.notes) == before
    assert world.weights == {"better": 100}
    await world.rest(1500.0)
    assert world.notes[before:] == ["Verifying", "Verifying", "SharedFailure"]
    assert not world.status.get("rejected")


async def test_a_warm_predecessor_is_compared_at_once() -> None:
    script = (*watching.WARM, watching.turn("better", watching.BAD, exposed("good")))
    world = await World(script).play()
    alarm = world.status["alarm"]
    assert world.status["verifying"]["since"] == alarm["at"]


async def test_after_a_rollback_the_predecessor_that_turns_bad_too_is_not_exchanged_again() -> None:
    world = await World(watching.WARM_TAKEN_BACK).play()
    world.traffic.turn("good", watching.BAD)
    await world.run(watching.alarmed("NoHealthyRevision", "good"), 900.0, "an alarm alone")
    await world.rest(7200.0)
    assert world.weights == {"good": 100}
    assert not world.monitor.violations


async def test_the_watch_of_a_promoted_version_begins_with_the_dispersion_of_its_rollout() -> None:
    world = await World(scenarios.PROMOTED).play()
    assert world.status["watch"]["of"].startswith(world.status["stable"]["short"])
    assert set(world.status["watch"]["phi"]) == {"errors", "latency/p99"}


async def test_an_operator_that_starts_again_goes_on_with_the_score_that_was_written() -> None:
    world = await World(watching.WARM).play()
    world.traffic.turn("better", watching.BAD)
    await world.rest(45.0)
    assert not world.status.get("alarm")
    again = world.fork()
    await again.run(lambda w: bool(w.status.get("verifying")), 75.0, "an alarm")


@pytest.mark.parametrize("fault", ["conflict", "lose_answer"])
async def test_a_disturbed_write_of_a_comparison_changes_nothing_of_the_outcome(
    fault: Literal["conflict", "lose_answer"],
) -> None:
    async for _ in disturbed_anywhere(watching.COLD_TAKEN_BACK, fault):
        pass


async def test_a_status_lost_in_a_comparison_ends_it_and_what_is_live_has_it_all_again() -> None:
    script = (*watching.COLD, watching.turn("better", watching.BAD, exposed("good")))
    world = await World(script).play()
    world.traffic.turn("better", 0.0)
    ref = ("ModelDeployment", *world.key)
    world.store.patch(ref, {"status": dict.fromkeys(world.status)}, "restore", "status")
    await world.run(lambda w: w.weights == {"better": 100}, 60.0, "all of it is back")
    await world.rest(300.0)
    assert scenarios.live("better")(world)
    assert not world.monitor.violations
