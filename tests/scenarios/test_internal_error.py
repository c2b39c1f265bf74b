"""A pass raises by a defect of the operator: it is said, and what takes traffic away still acts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from merit.policy.report.alert_kinds import Alert
from tests.scenarios.scripts import rollouts, steps
from tests.scenarios.scripts.steps import USER, annotate, apply, crash_loop, exposed
from tests.world.manifests import manifest
from tests.world.world import World

CANARY = (*rollouts.FIRST, apply("better", exposed("better")))
DEFECTS = {
    "its next step": "merit.policy.rollout.steps.may_not_rise",
    "its evidence": "merit.policy.rollout.judging.analysis_of",
    "evidence about what serves": "merit.policy.live.live_monitor.bars",
    "signals": "merit.policy.decide.with_gauge_signals",
    "old records": "merit.policy.desired.converge.prune",
    "conditions": "merit.policy.report.present.conditions_of",
    "the name of its state": "merit.policy.report.named_state.lost_records",
    "measurements": "merit.reconciler.measurements.declared_drifts",
    "a rule of safety": "merit.policy.rollout.pod_failures.fault",
    "an effect": "merit.reconciler.effects.revisions.revision_name",
    "the view": "merit.reconciler.gather.route_refusal",
}


def abort(world: World) -> None:
    annotate(world, "abort", "INC-1")


def lose_pods(world: World) -> None:
    crash_loop("better", lambda w: True).do(world)


def fail_requests(world: World) -> None:
    world.traffic.set_errors("better", 0.6)


RELIEF = {"abort": abort, "pods down": lose_pods, "failed requests": fail_requests}
DEPENDS = {  # relief that cannot do without what raises
    ("failed requests", "its evidence"),
    ("failed requests", "measurements"),
    ("pods down", "a rule of safety"),
    *((relief, "the view") for relief in RELIEF),
}


class Board:
    """The alerts that fire now."""

    def __init__(self) -> None:
        self.firing: dict[str, Alert] = {}

    def set_alerts(self, key: tuple[str, str], alerts: Iterable[Alert]) -> None:
        if key[1] == "fraud-scorer":
            self.firing = {alert.labels["alertname"]: alert for alert in alerts}

    def undelivered(self, place: tuple[str, str]) -> str:
        return ""


def broken(*args: Any, **kwargs: Any) -> Any:
    raise IndexError("tuple index out of range")


@pytest.fixture(scope="module")
def canary() -> World:
    """`better` at its first step."""
    return asyncio.run(World(CANARY).play())


def with_defect(canary: World, monkeypatch: pytest.MonkeyPatch, defect: str) -> World:
    """A copy whose operator raises there from now on."""
    world = canary.fork()
    world.flawed, world.outbox = True, Board()
    world.restart_operator()
    monkeypatch.setattr(DEFECTS[defect], broken)
    if defect == "an effect":  # so that there is something to put right
        name = f"fraud-scorer-{world.status['candidate']['short']}"
        world.store.delete(("Service", "risk", name), USER)
    return world


def alerts(world: World) -> dict[str, Alert]:
    assert isinstance(world.outbox, Board)
    return world.outbox.firing


@pytest.mark.parametrize("defect", DEFECTS)
async def test_a_pass_that_raises_is_stalled_with_an_alert_and_a_count_and_raises_no_share(
    canary: World, defect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = with_defect(canary, monkeypatch, defect)
    await world.advance(300.0)
    assert world.weights["better"] == 10, "nothing rises, and nothing is taken away"
    for kind, word in (("Stalled", "True"), ("Ready", "False")):
        said = world.condition(kind)
        assert (said["status"], said["reason"]) == (word, "InternalError")
        assert "IndexError" in said["message"]
    assert alerts(world)["MeritInternalError"].labels["severity"] == "critical"
    assert world.telemetry.internal_errors > 1


@pytest.mark.parametrize(
    ("relief", "defect"), [(r, d) for r in RELIEF for d in DEFECTS if (r, d) not in DEPENDS]
)
async def test_relief_that_does_not_depend_on_what_raises_still_acts(
    canary: World, relief: str, defect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = with_defect(canary, monkeypatch, defect)
    await world.advance(10.0)
    RELIEF[relief](world)
    await world.run(lambda w: w.weights == {"good": 100}, 60.0, relief)
    await world.run(lambda w: "rollback" in w.mdep["spec"], 10.0, "the pin")
    assert not world.invariants.violations


async def test_when_the_defect_is_gone_everything_goes_on(
    canary: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = with_defect(canary, monkeypatch, "its next step")
    await world.advance(100.0)
    monkeypatch.undo()
    await world.run(steps.live("better"), 900.0, "promoted all the same")
    assert not world.condition("Stalled") and not alerts(world)
    assert not world.invariants.violations


async def test_a_pass_that_raises_writes_its_status_once(
    canary: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = with_defect(canary, monkeypatch, "its next step")
    world.traffic.reachable = False
    await world.advance(60.0)
    writes = world.server.writes
    await world.advance(600.0)
    assert world.server.writes == writes


async def test_a_traceback_is_logged_once_for_as_long_as_passes_raise_the_same(
    canary: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = with_defect(canary, monkeypatch, "its next step")
    await world.advance(120.0)
    assert caplog.text.count("a pass has failed") == 1
    assert "tuple index out of range" in caplog.text


async def test_neighbours_of_an_object_whose_passes_raise_notice_nothing(
    canary: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = canary.fork()
    world.flawed = True
    sound = world.reconciler._gatherer.with_measurements

    def unsound(key: Any, seen: Any) -> Any:
        return broken() if key == world.key else sound(key, seen)

    monkeypatch.setattr(world.reconciler._gatherer, "with_measurements", unsound)
    other = manifest("good")
    other["metadata"]["name"] = "neighbour"
    other["spec"]["rollout"]["route"]["gateway"]["hostnames"] = ["other.example.com"]
    world.store.apply(other, USER)

    def serves(world: World) -> bool:
        status = world.store.objects["ModelDeployment", "risk", "neighbour"].get("status", {})
        return status.get("phase") == "Live"

    await world.run(serves, 300.0, "the neighbour's first version")
    assert world.condition("Stalled")["reason"] == "InternalError"
