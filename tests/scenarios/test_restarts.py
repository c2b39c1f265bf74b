"""Whose container ended, and when: only the server's, lately, again and again, is a crash loop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.scripts import rollouts
from tests.scenarios.scripts.steps import apply, exposed, live
from tests.world.pods import CRASH_LOOP
from tests.world.world import World

PODS = Path(__file__).with_name("pods")


def status(name: str) -> dict[str, Any]:
    """The status of a pod, as a cluster told it."""
    found: dict[str, Any] = json.loads((PODS / f"{name}.json").read_text())
    return found


@pytest.mark.parametrize(
    "what",
    [
        "server_ended_once_at_start",
        "init_container_ended_at_start",
        "sidecar_ended_again_and_again",
    ],
)
async def test_what_ended_at_its_start_and_serves_well_since_is_promoted(what: str) -> None:
    world = await World(rollouts.FIRST).play()
    world.set_pods("better", 8, status(what))
    apply("better", exposed("better")).do(world)
    await world.run(live("better"), 3600.0, "promoted")
    assert not world.status.get("rejected")


async def test_a_restart_of_stable_months_ago_excuses_no_crash_loop() -> None:
    world = await World(rollouts.FIRST).play()
    world.set_pods("good", 1, status("ended_months_ago"))
    apply("better", exposed("better")).do(world)
    await world.run(exposed("better"), 600.0, "exposed")
    world.set_pods("better", 8, CRASH_LOOP)
    await world.run(lambda w: bool(w.status.get("rejected")), 60.0, "rejected at the first time")
    assert world.status["rejected"][0]["reason"] == "PodsDown"
