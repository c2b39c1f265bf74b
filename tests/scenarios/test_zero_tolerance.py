"""Zero tolerance: one event is enough, and is not blamed on a version that came later."""

from __future__ import annotations

import pytest

from tests.scenarios.scripts import zero_tolerance
from tests.world.alerts import AlertBoard
from tests.world.crashes import killed_anywhere
from tests.world.evaluations import NO_IMAGE
from tests.world.fleet import WorldFleet
from tests.world.world import World


@pytest.mark.parametrize("name", zero_tolerance.ALL)
async def test_one_event_ends_as_it_should_and_breaks_no_invariant(name: str) -> None:
    world = await World(zero_tolerance.ALL[name]).play()
    await world.advance(7200.0)
    assert len(world.status.get("rejected", [])) == (name in zero_tolerance.REJECTED)
    assert not world.invariants.violations


@pytest.mark.parametrize(
    "name",
    [
        "under a candidate",
        pytest.param("under the live version", marks=pytest.mark.slow),
        pytest.param("under the live version, with a cold predecessor", marks=pytest.mark.slow),
    ],
)
async def test_killed_at_any_write_after_an_event_it_ends_the_same(name: str) -> None:
    async for _ in killed_anywhere(zero_tolerance.ALL[name], least=5):
        pass


async def test_a_cold_predecessor_gets_no_traffic_before_it_is_ready_whatever_is_at_a_gate() -> (
    None
):
    def evaluated(world: World) -> bool:
        return (world.status.get("candidate") or {}).get("stage") == "Evaluation"

    world = World((*zero_tolerance.COLD, zero_tolerance.declare("stuck", evaluated)))
    world.actors.endings["stuck"] = (NO_IMAGE,)
    await world.play()
    cold = next(short for short, version in world.traffic.versions.items() if version == "good")

    def ready(world: World) -> bool:
        found = world.store.objects.get(("EndpointSlice", "risk", f"fraud-scorer-{cold}-slice"))
        return found is not None and any(e["conditions"]["ready"] for e in found["endpoints"])

    await world.advance(30.0)
    assert not ready(world)
    world.traffic.record_event()
    await world.run(lambda w: w.weights == {"good": 100}, 300.0, "it is rolled back")
    assert ready(world)


@pytest.mark.parametrize(
    "script", [zero_tolerance.CANARY, zero_tolerance.WARM], ids=["a candidate", "what is live"]
)
async def test_it_is_rolled_back_at_the_first_reading_with_the_event(script) -> None:
    world = await World(script).play()
    await world.advance(60.0)
    world.traffic.record_event()
    await world.run(lambda w: w.weights == {"good": 100}, 32.0, "one reading and one pass")
    assert "Comparing" not in world.notes


async def test_a_restarted_operator_knows_that_there_was_no_event_before() -> None:
    world = await World(zero_tolerance.CANARY).play()
    await world.advance(45.0)
    world.traffic.record_event()
    restarted = world.fork()  # nothing has read it yet, and what was read before is gone
    await restarted.run(zero_tolerance.candidate_rejected, 90.0, "it is blamed all the same")


async def test_where_only_a_person_rolls_back_the_owner_is_alerted_and_no_step_follows() -> None:
    world = await World(zero_tolerance.A_CANDIDATE_BY_A_PERSON[:-2]).play()
    world.traffic.record_event()
    await world.advance(120.0)
    assert world.weights["better"] == 10
    assert {s["reason"] for s in world.status["flow"]} >= {"Vetoed"}


async def test_while_its_query_fails_no_version_passes_and_its_owner_is_alerted():
    board = AlertBoard()
    world = await World(zero_tolerance.CANARY, outbox=board).play()
    first = world.weights["better"]
    world.traffic.takes_queries = False
    await world.advance(1200.0)
    assert world.weights["better"] == first and not world.status.get("rejected")
    assert {s["reason"] for s in world.status["flow"]} >= {"SignalLost"}
    assert board.of(world)["MeritMetricsLost"].labels["signal"] == "signals/leaks"
    world.traffic.takes_queries = True
    await world.run(lambda w: w.weights == {"better": 100}, 1200.0, "it is measured again")


async def test_what_serves_is_not_trusted_while_its_query_fails():
    world = await World(zero_tolerance.WARM).play()
    world.traffic.takes_queries = False
    await world.advance(60.0)
    trusted = next(c for c in world.status["conditions"] if c["type"] == "Trusted")
    assert (trusted["status"], trusted["reason"]) == ("Unknown", "SignalLost")


async def test_twelve_events_at_once_take_the_traffic_back_and_blame_nobody() -> None:
    fleet = WorldFleet(await World(zero_tolerance.CANARY).play(), 12)
    for world in fleet.worlds:
        world.traffic.record_event()
    await fleet.run(60.0)
    assert all(world.weights == {"good": 100} for world in fleet.worlds)
    assert (fleet.rejected(), fleet.held(), fleet.breaker.trips) == (0, 12, 1)


@pytest.mark.slow
async def test_an_event_that_is_over_when_the_incident_ends_rejects_nothing_and_the_next_one_does():
    fleet = WorldFleet(await World(zero_tolerance.CANARY).play(), 12)
    for world in fleet.worlds:
        world.traffic.record_event()
    await fleet.run(720.0)
    assert fleet.rejected() == 0
    assert all(world.weights.get("better", 0) >= 10 for world in fleet.worlds)
    for world in fleet.worlds:
        world.traffic.record_event()
    await fleet.run(90.0)
    assert (fleet.rejected(), fleet.breaker.trips) == (12, 1)
