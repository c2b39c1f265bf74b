"""Alerts to the owner: when they begin and end, and that no decision waits for their delivery."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import pytest

from merit.alertmanager.client import Alertmanager
from merit.alertmanager.outbox import Outbox
from merit.kube.cache import Key
from merit.kube.errors import Forbidden
from merit.policy.report.alert_kinds import KINDS
from tests.scenarios.scripts import rollouts, steps
from tests.world.alerts import AlertBoard
from tests.world.world import World


async def test_a_rollback_sends_an_alert_with_the_owners_labels_until_a_better_version_comes() -> (
    None
):
    board = AlertBoard()
    world = await World(rollouts.ROLLED_BACK, outbox=board).play()
    (name, alert), *others = board.of(world).items()
    assert (name, others) == ("MeritRolledBack", [])
    entry = world.status["rejected"][0]
    assert alert.labels == {
        "alertname": "MeritRolledBack",
        "severity": "warning",
        "namespace": "risk",
        "name": "fraud-scorer",
        "team": "risk-ml",
        "contact": "#risk-ml-oncall",
        "reason": entry["reason"],
    }
    assert entry["evidence"] in alert.annotations["summary"]
    assert alert.since <= world.now
    assert board.ever == ["MeritRolledBack"], "one alert, whatever happened on the way"
    world.script = rollouts.FIXED
    await world.play()
    assert not board.of(world)


async def test_a_restarted_operator_sends_the_same_alerts_with_the_same_labels() -> None:
    board, another = AlertBoard(), AlertBoard()
    world = await World(rollouts.ROLLED_BACK, outbox=board).play()
    restarted = world.fork()
    restarted.outbox = another
    restarted.restart_operator()
    await restarted.advance(60.0)
    (before,), (after,) = board.of(world).values(), another.of(restarted).values()
    assert (before.identity, before.since) == (after.identity, after.since)


async def test_a_rejection_at_a_gate_sends_one_alert_of_severity_info() -> None:
    board = AlertBoard()
    world = await World(rollouts.REFUSED, outbox=board).play()
    (alert,) = board.of(world).values()
    assert alert.labels["alertname"] == "MeritRejected"
    assert (alert.labels["severity"], alert.labels["stage"]) == ("info", "Evaluation")
    assert "recall 0.41" in alert.annotations["summary"]


async def test_a_promotion_and_a_deletion_send_no_alert() -> None:
    board = AlertBoard()
    world = await World((*rollouts.PROMOTED, steps.delete()), outbox=board).play()
    await world.advance(30.0)
    assert not board.ever and not board.of(world)


async def test_a_rollback_that_cannot_move_traffic_pages_and_reports_its_end() -> None:
    board = AlertBoard()
    script = (*rollouts.FIRST, steps.apply("failing", steps.exposed("failing")))
    world = await World(script, outbox=board).play()
    apply = world.server.apply

    async def refusing(obj: dict[str, Any], *, timeout: float = 10.0) -> dict[str, Any]:
        if obj["kind"] == "HTTPRoute":
            raise Forbidden(403, "Forbidden", "the right on httproutes was taken away")
        return await apply(obj, timeout=timeout)

    world.server.apply = refusing  # type: ignore[method-assign]
    await world.run(lambda w: "MeritRollbackBlocked" in board.of(w), 900.0, "the page")
    alert = board.of(world)["MeritRollbackBlocked"]
    assert alert.labels["severity"] == "critical"
    assert "10%" in alert.annotations["summary"]
    assert "MeritRolledBack" not in board.of(world), "it has not moved, so nobody says so"
    world.server.apply = apply  # type: ignore[method-assign]
    await world.run(steps.rolled_back, 60.0, "the rollback")
    await world.run(lambda w: set(board.of(w)) == {"MeritRolledBack"}, 30.0, "what fires then")


async def test_metrics_that_are_lost_for_five_minutes_send_one_alert() -> None:
    board = AlertBoard()
    script = (*rollouts.FIRST, steps.apply("better", steps.exposed("better")))
    world = await World(script, outbox=board).play()
    world.traffic.reachable = False
    await world.advance(240.0)
    assert not board.of(world)
    await world.advance(120.0)
    assert board.of(world)["MeritMetricsLost"].labels["reason"] == "MetricsLost"
    assert board.ever == ["MeritMetricsLost"]
    world.traffic.reachable = True
    await world.run(steps.live("better"), 900.0, "metrics are back")
    assert not board.of(world)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_alert_has_a_meaning_and_a_remedy(kind: Any) -> None:
    assert kind.name.startswith("Merit") and kind.means and kind.remedy


async def test_an_alertmanager_that_never_answers_delays_nothing_and_is_reported() -> None:
    undisturbed = await World(rollouts.ROLLED_BACK).play()
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # it takes connections, and that is all
        client = Alertmanager(f"http://127.0.0.1:{deaf.getsockname()[1]}", deadline=0.05)
        world = World(rollouts.ROLLED_BACK)

        def wake(place: tuple[str, str]) -> None:
            world.due = world.now

        world.outbox = outbox = Outbox(client, now=world.clock, wake=wake)
        world.restart_operator()
        reconcile = world.reconciler.reconcile

        async def beside_others(key: Key) -> float | None:
            await asyncio.sleep(0)  # as in the process: delivery runs between and during passes
            return await reconcile(key)

        world.reconciler.reconcile = beside_others  # type: ignore[method-assign]
        sending = asyncio.create_task(outbox.run())
        await world.play()
        assert world.traffic.history == undisturbed.traffic.history
        while not outbox.delivery.failures:
            await asyncio.sleep(0.01)
        world.now += 31.0  # on the world's clock it has failed for half a minute now
        while not outbox.undelivered(world.key):
            await asyncio.sleep(0.01)
        await world.advance(5.0)
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending
        await client.close()
    delivered = world.condition("AlertsDelivered")
    assert (delivered["status"], delivered["reason"]) == ("False", "AlertsUndelivered")
    assert "did not answer" in delivered["message"]
