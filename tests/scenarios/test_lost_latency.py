"""Prometheus counts requests and has no histogram: nothing is known of how slow they are."""

from __future__ import annotations

from tests.scenarios.scripts.rollouts import FIRST
from tests.scenarios.scripts.steps import apply, exposed
from tests.world.world import World


async def test_a_canary_without_histograms_takes_no_step_and_says_what_is_missing() -> None:
    world = await World(FIRST).play()
    apply("better", exposed("better")).do(world)
    await world.run(exposed("better"), 300.0, "exposed")
    share = world.weights["better"]
    world.traffic.histograms = False
    await world.advance(900.0)
    assert world.weights.get("better", 0) <= share
    available = world.condition("MetricsAvailable")
    assert (available["status"], available["reason"]) == ("False", "NoSeries")
    assert "_bucket" in available["message"]


async def test_no_request_reaches_a_candidate_while_there_are_no_histograms() -> None:
    world = await World(FIRST).play()
    world.traffic.histograms = False
    apply("better", exposed("better")).do(world)
    await world.advance(900.0)
    assert world.weights == {"good": 100}
    assert world.flow("Rollout")["reason"] == "NoSeries"


async def test_what_serves_without_histograms_is_not_said_to_have_too_few_requests() -> None:
    world = await World(FIRST).play()
    await world.advance(300.0)
    world.traffic.histograms = False
    await world.advance(600.0)
    trusted, available = world.condition("Trusted"), world.condition("MetricsAvailable")
    assert (trusted["status"], trusted["reason"]) == ("Unknown", "NoSeries")
    assert (available["status"], available["reason"]) == ("False", "NoSeries")
