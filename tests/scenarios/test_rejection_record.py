"""The record of a rejection keeps the numbers of every signal, not only of the one that decided."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from merit.policy.outcomes.roll_back import measured
from merit.policy.rollout.judging import evidence_state
from merit.policy.state.context import rollout_context
from merit.policy.state.verdict import Verdict
from tests.policy.builders import NOW, canary, with_status
from tests.scenarios.scripts import rollouts, steps
from tests.world.world import World

LEDGER = ("ConfigMap", "risk", "fraud-scorer-ledger")
ENDS: dict[str, Callable[[World], None]] = {
    "errors": lambda world: world.traffic.set_errors("better", steps.BAD),
    "an abort": lambda world: steps.annotate(world, "abort", "INC-1"),
    "pods": lambda world: world.actors.crash_looping.add(f"fraud-scorer-{world.short('better')}"),
}


@pytest.mark.parametrize("end", ENDS)
async def test_the_record_of_a_rejection_keeps_the_numbers_of_every_signal(end: str) -> None:
    world = await World((*rollouts.FIRST, steps.apply("better", steps.exposed("better")))).play()
    await world.advance(60.0)
    names = {state["name"] for state in world.status["analysis"]["signals"]}
    assert len(names) > 1
    ENDS[end](world)
    world.wake_actors()
    await world.run(lambda w: bool(w.status.get("rejected")), 900.0, "rejected")
    entry = world.status["rejected"][0]
    found = {signal["name"]: signal for signal in entry["signals"]}
    assert names <= set(found)
    assert all(found[name]["n"] > 100 and found[name]["value"] for name in names)
    bad = {name for name, signal in found.items() if signal.get("verdict") == "Bad"}
    assert bad == ({"errors"} if end == "errors" else set())
    await world.advance(60.0)
    kept = json.loads(world.store.objects[LEDGER]["data"]["rejected"])[0]["signals"]
    assert {signal["name"] for signal in kept} == set(found)


async def test_the_record_of_a_live_rejection_keeps_them_too() -> None:
    world = await World(rollouts.PROMOTED).play()
    await world.advance(120.0)
    names = {signal["name"] for signal in world.status["signals"]}
    steps.annotate(world, "rollback", "INC-1")
    await world.run(lambda w: bool(w.status.get("rejected")), 120.0, "rejected")
    found = world.status["rejected"][0]["signals"]
    assert {signal["name"] for signal in found} == names and names


@pytest.mark.parametrize("counts", ["not numbers", "1", "nan nan", "1e99 1e999", "inf 1", ""])
def test_counts_that_cannot_be_read_are_left_out_and_hold_up_no_rollback(counts: str) -> None:
    seen = canary()
    context = rollout_context(seen)
    assert context is not None
    state = evidence_state(context)
    broken = tuple(s.model_copy(update={"canary": counts}) for s in state.signals)
    seen = with_status(seen, analysis=state.model_copy(update={"signals": broken}))
    context = rollout_context(seen)
    assert context is not None and broken
    assert measured(context, Verdict("Bad", "PodsDown", "down"), NOW) == ()
