"""A backend is announced to the gateway before its first weight, and until it is removed."""

from __future__ import annotations

import pytest

from merit.policy.desired.leaving import SETTLE
from merit.traffic.gateway_api import announced_in, weights_of
from tests.scenarios.scripts import rollouts, steps
from tests.world.world import World

BETTER = (*rollouts.FIRST, steps.apply("better", steps.exposed("better")))


def route_states(world: World) -> list[tuple[float, dict[str, int], frozenset[str]]]:
    """Every state of the route: when, shares, and who was named without one."""
    return [(at, weights_of(route), announced_in(route)) for at, route in world.routes]


async def test_a_candidate_is_named_for_seconds_before_its_first_share() -> None:
    world = await World(BETTER).play()
    short = world.status["candidate"]["short"]
    named = next(at for at, _, quiet in route_states(world) if short in quiet)
    first = next(at for at, shares, _ in route_states(world) if short in shares)
    assert first - named >= SETTLE


async def test_a_rejected_revision_is_named_until_its_pods_go_and_not_a_moment_longer() -> None:
    world = await World(rollouts.ROLLED_BACK).play()
    bad = world.status["rejected"][0]["revision"][3:11]
    shares = [(shares, quiet) for _, shares, quiet in route_states(world)]
    lost = next(
        i for i, (s, _) in enumerate(shares) if i and bad in shares[i - 1][0] and bad not in s
    )
    assert bad in shares[lost][1]
    assert bad not in shares[-1][1]
    pods = {name for kind, _, name in world.store.objects if kind in ("Deployment", "Service")}
    assert not any(bad in name for name in pods)


async def test_a_restarted_operator_announces_again_and_continues() -> None:
    script = (*rollouts.FIRST, steps.apply("better", lambda w: bool(announced(w))))
    world = (await World(script).play()).fork()
    await world.run(steps.exposed("better"), 60.0, "the share comes")
    assert not world.invariants.violations


def announced(world: World) -> frozenset[str]:
    """Who is named in the route without a share."""
    route = world.store.objects.get(("HTTPRoute", *world.key))
    return announced_in(route) if route else frozenset()


async def test_no_request_can_know_the_value_that_an_announcement_asks_for() -> None:
    script = (*rollouts.FIRST, steps.apply("better", lambda w: bool(announced(w))))
    world = await World(script).play()
    route = world.store.objects["HTTPRoute", *world.key]
    (match,) = route["spec"]["rules"][-1]["matches"]
    (header,) = match["headers"]
    assert header["type"] == "Exact"
    assert len(header["value"]) == 32
    assert world.weights == {"good": 100}


@pytest.mark.parametrize("version", ["better", "failing"])
async def test_every_first_share_of_a_whole_rollout_was_announced(version: str) -> None:
    script = rollouts.PROMOTED if version == "better" else rollouts.ROLLED_BACK
    world = await World(script).play()
    known: set[str] = set()
    for position, (_, shares, quiet) in enumerate(route_states(world)):
        assert not position or set(shares) <= known
        known = set(shares) | quiet
