"""Two objects claim one hostname: the older one has it, and the younger one serves nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from merit.kube.cache import Key
from tests.scenarios.scripts import rollouts, steps
from tests.scenarios.scripts.steps import USER
from tests.world.manifests import manifest
from tests.world.world import World

YOUNGER = ("ModelDeployment", "risk", "younger")


def second(host: str = "fraud.example.com", **rule: Any) -> dict[str, Any]:
    """Another object; by default it claims what the first one has."""
    obj = manifest("good")
    obj["metadata"]["name"] = "younger"
    gateway = obj["spec"]["rollout"]["route"]["gateway"]
    gateway["hostnames"] = [host]
    if rule:
        gateway["rules"] = [rule]
    return obj


def status(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.store.objects[YOUNGER].get("status", {})
    return found


def routed(world: World) -> bool:
    return ("HTTPRoute", "risk", "younger") in world.store.objects


async def both(obj: dict[str, Any]) -> World:
    world = await World(rollouts.FIRST).play()
    await world.advance(10.0)
    world.store.apply(obj, USER)
    await world.advance(120.0)
    return world


async def test_the_younger_one_serves_nothing_and_names_the_object_that_has_the_hostname() -> None:
    world = await both(second())
    assert not routed(world)
    assert not [job for job in world.invariants.jobs if job.startswith("younger")]
    assert "risk/fraud-scorer" in status(world)["summary"]
    stalled = {c["type"]: c for c in status(world)["conditions"]}["Stalled"]
    assert (stalled["status"], stalled["reason"]) == ("True", "OwnershipConflict")
    assert world.weights == {"good": 100}


async def test_when_the_older_one_goes_the_younger_takes_over_by_itself() -> None:
    world = await both(second())
    world.store.delete(("ModelDeployment", *world.key), USER)
    await world.run(routed, 120.0, "it takes over")
    assert status(world)["phase"] == "Live"


async def test_when_the_older_one_takes_another_hostname_the_younger_takes_over() -> None:
    world = await both(second())
    first = manifest("good")
    first["spec"]["rollout"]["route"]["gateway"]["hostnames"] = ["other.example.com"]
    world.store.apply(first, USER)
    await world.run(lambda w: status(w).get("phase") == "Live", 120.0, "it takes over")
    route = world.store.objects["HTTPRoute", *world.key]
    assert route["spec"]["hostnames"] == ["other.example.com"]


async def test_another_match_on_the_same_hostname_is_no_conflict() -> None:
    world = await both(second(matches=[{"path": {"value": "/other"}}]))
    assert status(world)["phase"] == "Live"
    assert routed(world)


async def test_an_edit_into_a_conflict_does_not_change_the_route() -> None:
    world = await both(second("second.example.com"))
    assert status(world)["phase"] == "Live"
    before = world.store.objects["HTTPRoute", "risk", "younger"]["spec"]
    world.store.apply(second(), USER)
    await world.advance(120.0)
    assert "risk/fraud-scorer" in status(world)["summary"]
    assert world.store.objects["HTTPRoute", "risk", "younger"]["spec"] == before
    world.store.apply(second("third.example.com"), USER)
    await world.advance(60.0)
    route = world.store.objects["HTTPRoute", "risk", "younger"]
    assert route["spec"]["hostnames"] == ["third.example.com"]


async def test_an_older_object_takes_no_hostname_from_a_live_route_of_another() -> None:
    world = await both(second("second.example.com"))
    before = world.store.objects["HTTPRoute", "risk", "younger"]["spec"]
    first = manifest("good")
    first["spec"]["rollout"]["route"]["gateway"]["hostnames"] = ["second.example.com"]
    world.store.apply(first, USER)
    await world.advance(120.0)
    assert world.store.objects["HTTPRoute", "risk", "younger"]["spec"] == before
    assert status(world)["phase"] == "Live"
    assert world.condition("Stalled")["reason"] == "OwnershipConflict"
    assert "risk/younger" in world.status["summary"]
    own = world.store.objects["HTTPRoute", *world.key]["spec"]
    assert own["hostnames"] == ["fraud.example.com"] and world.weights == {"good": 100}


def invalid(obj: dict[str, Any]) -> None:
    obj["spec"]["rollout"]["steps"] = [0]


def paused(obj: dict[str, Any]) -> None:
    obj["spec"]["paused"] = True


@pytest.mark.parametrize("made", [invalid, paused], ids=lambda made: made.__name__)
async def test_an_object_that_serves_nothing_holds_no_hostname(
    made: Callable[[dict[str, Any]], None],
) -> None:
    world = World(())
    first = manifest("good")
    made(first)
    world.store.apply(first, USER)
    await world.advance(10.0)
    world.store.apply(second(), USER)
    await world.advance(120.0)
    assert status(world)["phase"] == "Live" and routed(world)
    world.store.apply(manifest("good"), USER)
    await world.advance(120.0)
    assert routed(world) and "risk/younger" in world.status["summary"]


async def test_of_two_that_were_accepted_at_once_the_younger_route_stays_and_says_so() -> None:
    world = World(())
    gateway, world.actors._gateway = world.actors._gateway, lambda _route: None  # type: ignore[method-assign]
    world.store.apply(manifest("good"), USER)
    world.store.apply(second(), USER)
    await world.advance(60.0)
    world.actors._gateway = gateway  # type: ignore[method-assign]
    world.wake_actors()
    await world.advance(120.0)
    assert routed(world) and world.weights == {"good": 100}
    told = {c["type"]: c for c in status(world)["conditions"]}["Stalled"]
    assert told["reason"] == "OwnershipConflict" and not world.condition("OwnershipConflict")


async def test_too_many_claims_are_refused_and_compared_with_nobodys() -> None:
    obj = second()
    gateway = obj["spec"]["rollout"]["route"]["gateway"]
    gateway["hostnames"] = [f"h{n}.example.com" for n in range(16)]
    matches = [{"path": {"value": f"/{n}"}} for n in range(8)]
    gateway["rules"] = [{"matches": matches}, {"matches": matches}, {"matches": matches}]
    world = await both(obj)
    assert not routed(world)
    assert "384 combinations" in status(world)["summary"]


async def test_a_new_operator_knows_who_is_older_before_it_decides_anything() -> None:
    world = await both(second())
    restarted = world.fork()
    await restarted.advance(120.0)
    assert not routed(restarted)
    assert restarted.weights == {"good": 100}


def theirs(name: str) -> dict[str, Any]:
    """A route that was there before anybody thought of Merit."""
    gateway = manifest("good")["spec"]["rollout"]["route"]["gateway"]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": "risk"},
        "spec": {
            "parentRefs": gateway["parentRefs"],
            "hostnames": gateway["hostnames"],
            "rules": [{"backendRefs": [{"name": "before", "port": 8080}]}],
        },
    }


async def test_a_running_service_is_migrated_with_both_routes_side_by_side() -> None:
    world = World(rollouts.FIRST)
    world.store.create(theirs("before"), "helm")
    before = world.store.objects["HTTPRoute", "risk", "before"]["spec"]
    await world.play()
    assert world.store.objects["HTTPRoute", "risk", "before"]["spec"] == before
    assert world.weights == {"good": 100}  # Merit's route stands ready; the gateway has the older
    world.store.delete(("HTTPRoute", "risk", "before"), "helm")
    writes = world.server.writes
    await world.advance(60.0)
    assert ("HTTPRoute", *world.key) in world.store.objects
    assert not [ref for verb, ref in world.server.log[writes:] if ref[0] == "HTTPRoute"]


async def test_a_route_of_the_same_name_is_never_adopted_and_retried_rarely() -> None:
    world = World(())
    world.store.create(theirs("fraud-scorer"), "helm")
    world.store.apply(manifest("good"), USER)
    await world.advance(60.0)
    assert "belongs to somebody else" in world.status["summary"]
    writes = world.server.writes
    await world.advance(300.0)
    assert world.server.writes - writes <= 30
    world.store.delete(("HTTPRoute", "risk", "fraud-scorer"), "helm")
    await world.run(steps.live("good"), 300.0, "the name is free")


async def test_an_object_that_is_deleted_while_it_waits_for_a_hostname_is_forgotten() -> None:
    world = await both(second())
    waiting = world.reconciler._route_claims._waiting
    assert waiting == {world.key: {Key("risk", "younger")}}
    world.store.delete(YOUNGER, USER)
    await world.advance(1.0)
    assert not any(waiting.values())
