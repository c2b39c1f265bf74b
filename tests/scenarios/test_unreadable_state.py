"""State that cannot be read is dropped, which is said, and everything goes on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from merit.api.quantity import InvalidValue
from tests.scenarios.scripts import rollouts, steps
from tests.scenarios.scripts.steps import USER, apply, exposed
from tests.world.world import World

CANARY = (*rollouts.FIRST, apply("better", exposed("better")))
REF = ("ModelDeployment", "risk", "fraud-scorer")
LEDGER = ("ConfigMap", "risk", "fraud-scorer-ledger")


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value}
    return value


def garbled(state: Any) -> Any:
    """The same shape, with other text in every string of several numbers."""
    if isinstance(state, dict):
        return {key: garbled(value) for key, value in state.items()}
    if isinstance(state, list):
        return [garbled(value) for value in state]
    return "not numbers" if isinstance(state, str) and " " in state else state


SHAPES: dict[str, Any] = {
    "another version's": lambda old: {"version": 2, "arms": [1, 2]},
    "another type": lambda old: old | {"signals": 7, "consumedUntil": 3},
    "garbage inside": garbled,
    "nested": lambda old: old | {"signals": nested(200)},
}


@pytest.fixture(scope="module")
def canary() -> World:
    """`better` at its first step, with some evidence about both."""
    world = asyncio.run(World(CANARY).play())
    asyncio.run(world.advance(40.0))
    return world


def rewrite(world: World, part: str, value: Any) -> None:
    """Somebody else writes that part of status."""
    body = {"status": {part: None}}
    world.store.patch(REF, body, "somebody", "status")
    world.store.patch(REF, {"status": {part: value}}, "somebody", "status")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("part", ["analysis", "watch"])
async def test_evidence_of_another_shape_is_dropped_and_said_and_a_bad_version_is_rolled_back(
    canary: World, part: str, shape: str
) -> None:
    world = canary.fork()
    rewrite(world, part, SHAPES[shape](world.status[part]))
    await world.advance(30.0)
    if (part, shape) != ("watch", "garbage inside"):  # that one only delays an alarm
        assert world.notes.count("StateDropped") == 1
        assert any(f"dropped from status: {part}" in d["what"] for d in world.status["decisions"])
    assert world.weights["better"] == 10 and not world.condition("Stalled")
    world.traffic.set_errors("better", steps.BAD)
    await world.run(steps.rolled_back, 300.0, "rolled back")
    assert not world.invariants.violations


@pytest.mark.parametrize("broken", ["no data", "no spec", "another spec"])
async def test_a_record_that_cannot_be_read_is_written_again(canary: World, broken: str) -> None:
    world = canary.fork()
    name = (
        f"fraud-scorer-{world.status['candidate']['short']}-{world.status['candidate']['policy']}"
    )
    record = dict(world.store.objects["ControllerRevision", "risk", name])
    data = {
        "no data": {},
        "no spec": {"data": {"deployment": {}}},
        "another spec": {"data": {**record["data"], "spec": {"goal": 7}}},
    }[broken]
    del record["data"]
    world.store.objects["ControllerRevision", "risk", name] = record | data
    world.restart_operator()
    await world.run(steps.live("better"), 900.0, "promoted all the same")
    assert world.store.objects["ControllerRevision", "risk", name]["data"]["spec"]
    assert not world.invariants.violations


async def test_the_lost_record_of_what_serves_is_said_and_raises_no_share(canary: World) -> None:
    world = canary.fork()
    name = f"fraud-scorer-{world.status['stable']['short']}-{world.status['stable']['policy']}"
    record = dict(world.store.objects["ControllerRevision", "risk", name])  # copies share objects
    del record["data"]
    world.store.objects["ControllerRevision", "risk", name] = record
    world.restart_operator()
    await world.advance(120.0)
    assert world.condition("Stalled")["reason"] == "RecordLost"
    assert world.weights["better"] == 10
    steps.annotate(world, "abort", "INC-1")
    await world.run(lambda w: w.weights == {"good": 100}, 30.0, "abort")


def stricter(spec: Any) -> None:
    """Every spec breaks a rule that came with an upgrade."""
    raise InvalidValue("is not allowed any more", "write something else", "rollout.steps")


async def test_without_the_record_of_what_serves_a_rollback_is_routed_though_the_spec_is_invalid(
    canary: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = canary.fork()
    name = f"fraud-scorer-{world.status['stable']['short']}-{world.status['stable']['policy']}"
    del world.store.objects["ControllerRevision", "risk", name]
    monkeypatch.setattr("merit.api.validation.check", stricter)
    world.restart_operator()
    await world.advance(5.0)
    steps.annotate(world, "abort", "INC-1")
    await world.run(lambda w: w.weights == {"good": 100}, 30.0, "abort")


async def test_a_rule_that_came_later_does_not_take_what_was_accepted_out_of_sight(
    canary: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = canary.fork()
    monkeypatch.setattr("merit.api.validation.check", stricter)
    world.restart_operator()
    await world.advance(30.0)
    assert world.condition("Stalled")["reason"] == "InvalidSpec"
    world.traffic.set_errors("better", steps.BAD)
    await world.run(lambda w: w.weights == {"good": 100}, 600.0, "rolled back")


@pytest.mark.parametrize("text", ["[" * 2000 + "]" * 2000, "{", "7", '"text"'])
async def test_a_ledger_that_cannot_be_read_is_no_ledger(text: str) -> None:
    world = await World(rollouts.FIRST).play()
    await world.advance(10.0)
    world.store.patch(LEDGER, {"data": {"rejected": text}}, USER)
    world.restart_operator()
    await world.run(lambda w: w.store.objects[LEDGER]["data"]["rejected"] == "[]", 60.0, "again")
    world.store.patch(LEDGER, {"data": {"rejected": text}}, USER)
    steps.lose_status(world)
    world.restart_operator()
    await world.run(steps.live("good"), 60.0, "restored from the route")
    assert "Restored" in world.notes
    await world.run(lambda w: w.store.objects[LEDGER]["data"]["rejected"] == "[]", 60.0, "again")
    assert not world.invariants.violations
