"""Metrics and alerts are made from the status on record: as it was, or as a pass wrote it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from merit.api.hashing import identify
from merit.api.status import Status
from merit.kube.cache import Key
from merit.kube.errors import Invalid
from merit.policy.state.observed import Observed
from merit.reconciler.memory import read_status
from merit.reconciler.telemetry import Telemetry
from tests.scenarios.scripts import rollouts
from tests.scenarios.scripts.steps import apply, exposed
from tests.world.manifests import manifest
from tests.world.server import Faults
from tests.world.world import World


def recorded(status: Status) -> Status:
    """Without what a pass may keep in memory."""
    return status.model_copy(update={"watch": None, "applied": {}})


def refuse_dry_runs(world: World) -> None:
    """The API server accepts no Deployment of a new version."""

    def refuse(obj: dict[str, Any]) -> None:
        if obj["kind"] == "Deployment" and "better" in str(obj["spec"].get("template")):
            raise Invalid(422, "Invalid", "spec.template: not allowed")

    world.store.webhook = refuse


def take_its_name(world: World) -> None:
    """Somebody else has a Deployment of the name that the new version needs."""
    short = identify(manifest("better")["spec"]).short
    metadata = {"name": f"fraud-scorer-{short}", "namespace": "risk"}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata}
    world.store.create(deployment | {"spec": manifest("better")["spec"]["serving"]}, "helm")


def refuse_the_route(world: World) -> None:
    """The operator has lost the right to write routes."""
    world.server.faults = Faults(deny=frozenset({"HTTPRoute"}))


def refuse_the_status(world: World) -> None:
    """Neither can a status be written."""
    world.server.faults = Faults(deny=frozenset({"ModelDeployment"}))


def make_conflicts(world: World) -> None:
    """Every third write finds that somebody else was faster."""
    world.server.faults = Faults(conflict=frozenset(range(0, 10_000, 3)))


def delete_slowly(world: World) -> None:
    """It is deleted, and a finalizer of somebody else holds it."""
    going = {"metadata": {"deletionTimestamp": "2027-01-15T08:00:00Z"}}
    world.store.patch(("ModelDeployment", *world.key), going, "garbage-collector")


@pytest.mark.parametrize(
    "disturb",
    [
        refuse_dry_runs,
        take_its_name,
        refuse_the_route,
        refuse_the_status,
        make_conflicts,
        delete_slowly,
    ],
    ids=lambda disturb: disturb.__name__,
)
async def test_what_a_pass_reports_is_on_record(
    monkeypatch: pytest.MonkeyPatch, disturb: Callable[[World], None]
) -> None:
    world = await World(rollouts.FIRST).play()
    reports: list[tuple[Status, Status]] = []
    report = Telemetry.report

    def spied(self: Telemetry, key: Key, seen: Observed, status: Status, now: float) -> None:
        reports.append((recorded(status), recorded(read_status(world.status))))
        report(self, key, seen, status, now)

    monkeypatch.setattr(Telemetry, "report", spied)
    apply("better", exposed("better")).do(world)
    disturb(world)
    await world.advance(120.0)
    assert reports
    for reported, stored in reports:
        assert reported == stored


async def test_only_decisions_on_record_are_counted() -> None:
    world = await World(rollouts.FIRST).play()
    refuse_the_status(world)
    before = dict(world.telemetry.decisions)
    apply("better", exposed("better")).do(world)
    await world.advance(60.0)
    assert dict(world.telemetry.decisions) == before


async def test_a_verdict_is_on_record_and_its_traffic_moves_before_any_other_object_is_judged() -> (
    None
):
    world = await World(rollouts.CANARY).play()
    world.traffic.set_errors("better", 1.0)
    await world.run(lambda w: bool(w.status.get("rejected")), 120.0, "rejected")
    assert world.weights == {"good": 100}
