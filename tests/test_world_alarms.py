"""What people are told, in a world of its own: when it begins, when it ends, and what waits."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterable
from typing import Any

import pytest

from merit.alerts.client import Alertmanager
from merit.alerts.outbox import Outbox
from merit.cluster.cache import Key
from merit.cluster.errors import Forbidden
from merit.policy.telling.alarm import KINDS, Alarm
from tests.world import scenarios
from tests.world.world import World


class Board:
    """What is told now, and everything that ever was."""

    def __init__(self) -> None:
        self.now: dict[tuple[str, str], tuple[Alarm, ...]] = {}
        self.ever: list[str] = []

    def tell(self, place: tuple[str, str], alarms: Iterable[Alarm]) -> None:
        before = {alarm.identity for alarm in self.now.get(place, ())}
        self.now[place] = tuple(alarms)
        new = (a for a in self.now[place] if a.identity not in before)
        self.ever += [alarm.labels["alertname"] for alarm in new]

    def undelivered(self, place: tuple[str, str]) -> str:
        return ""

    def of(self, world: World) -> dict[str, Alarm]:
        return {alarm.labels["alertname"]: alarm for alarm in self.now.get(world.key, ())}


async def test_a_rollback_is_told_with_the_owners_labels_until_a_better_version_comes() -> None:
    board = Board()
    world = await World(scenarios.ROLLED_BACK, outbox=board).play()
    (name, told), *others = board.of(world).items()
    assert (name, others) == ("MeritRolledBack", [])
    entry = world.status["rejected"][0]
    assert told.labels == {
        "alertname": "MeritRolledBack",
        "severity": "warning",
        "namespace": "risk",
        "name": "fraud-scorer",
        "team": "risk-ml",
        "contact": "#risk-ml-oncall",
        "reason": entry["reason"],
    }
    assert entry["evidence"] in told.annotations["summary"]
    assert told.since <= world.now
    assert board.ever == ["MeritRolledBack"], "told once, whatever happened on the way"
    world.script = scenarios.FIXED
    await world.play()
    assert not board.of(world)


async def test_an_operator_that_starts_again_tells_the_same_under_the_same_labels() -> None:
    board, another = Board(), Board()
    world = await World(scenarios.ROLLED_BACK, outbox=board).play()
    again = world.fork()
    again.outbox = another
    again._start()
    await again.rest(60.0)
    (before,), (after,) = board.of(world).values(), another.of(again).values()
    assert (before.identity, before.since) == (after.identity, after.since)


async def test_a_gates_no_is_told_quietly_and_nothing_else_is() -> None:
    board = Board()
    world = await World(scenarios.REFUSED, outbox=board).play()
    (told,) = board.of(world).values()
    assert told.labels["alertname"] == "MeritRejected"
    assert (told.labels["severity"], told.labels["stage"]) == ("info", "Evaluation")
    assert "recall 0.41" in told.annotations["summary"]


async def test_a_promotion_and_the_end_of_an_object_are_no_alarm() -> None:
    board = Board()
    world = await World((*scenarios.PROMOTED, scenarios.delete()), outbox=board).play()
    await world.rest(30.0)
    assert not board.ever and not board.of(world)


async def test_a_rollback_that_cannot_move_traffic_pages_and_then_says_that_it_was_done() -> None:
    board = Board()
    script = (*scenarios.FIRST, scenarios.apply("failing", scenarios.exposed("failing")))
    world = await World(script, outbox=board).play()
    apply = world.server.apply

    async def refusing(obj: dict[str, Any], *, timeout: float = 10.0) -> dict[str, Any]:
        if obj["kind"] == "HTTPRoute":
            raise Forbidden(403, "Forbidden", "the right on httproutes was taken away")
        return await apply(obj, timeout=timeout)

    world.server.apply = refusing  # type: ignore[method-assign]
    await world.run(lambda w: "MeritRollbackBlocked" in board.of(w), 900.0, "the page")
    told = board.of(world)["MeritRollbackBlocked"]
    assert told.labels["severity"] == "critical"
    assert "10%" in told.annotations["summary"]
    assert "MeritRolledBack" not in board.of(world), "it has not moved, so nobody says so"
    world.server.apply = apply  # type: ignore[method-assign]
    await world.run(scenarios.rolled_back, 60.0, "the rollback")
    await world.run(lambda w: set(board.of(w)) == {"MeritRolledBack"}, 30.0, "what is told then")


async def test_metrics_that_are_lost_for_five_minutes_are_told_once_whatever_their_reason() -> None:
    board = Board()
    script = (*scenarios.FIRST, scenarios.apply("better", scenarios.exposed("better")))
    world = await World(script, outbox=board).play()
    world.traffic.reachable = False
    await world.rest(240.0)
    assert not board.of(world)
    await world.rest(120.0)
    assert board.of(world)["MeritMetricsLost"].labels["reason"] == "MetricsLost"
    assert board.ever == ["MeritMetricsLost"]
    world.traffic.reachable = True
    await world.run(scenarios.live("better"), 900.0, "metrics are back")
    assert not board.of(world)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_alarm_says_what_it_means_and_what_to_do(kind: Any) -> None:
    assert kind.name.startswith("Merit") and kind.means and kind.remedy


async def test_an_alertmanager_that_never_answers_delays_nothing_and_is_told_of() -> None:
    undisturbed = await World(scenarios.ROLLED_BACK).play()
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # it takes connections, and that is all
        client = Alertmanager(f"http://127.0.0.1:{deaf.getsockname()[1]}", deadline=0.05)
        world = World(scenarios.ROLLED_BACK)
        world.outbox = outbox = Outbox(client, now=world.clock)
        world._start()
        reconcile = world.reconciler.reconcile

        async def beside_others(key: Key) -> float | None:
            await asyncio.sleep(0)  # as in the process: delivery runs between and during passes
            return await reconcile(key)

        def wake(place: tuple[str, str]) -> None:
            world.due = world.now

        world.reconciler.reconcile, outbox.wake = beside_others, wake  # type: ignore[method-assign]
        sending = asyncio.create_task(outbox.run())
        await world.play()
        assert world.traffic.history == undisturbed.traffic.history
        while not outbox.delivery.failures:
            await asyncio.sleep(0.01)
        world.now += 31.0  # on the world's clock it has failed for half a minute now
        while not outbox.undelivered(world.key):
            await asyncio.sleep(0.01)
        await world.rest(5.0)
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending
        await client.close()
    told = [c for c in world.status["conditions"] if c["type"] == "AlertsDelivered"]
    assert [(c["status"], c["reason"]) for c in told] == [("False", "AlertsUndelivered")]
    assert "did not answer" in told[0]["message"]
