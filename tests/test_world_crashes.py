"""The operator is killed before and after every write it makes; every run must end the same.

The reference run is copied at each write. A copy has no operator, as after `kill -9`: a new one
starts with what a LIST tells it. So each plan costs only what comes after the crash.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.world import scenarios
from tests.world.ending import ending
from tests.world.server import Faults
from tests.world.world import Step, World, faulty

DISTURBED = {
    "a first version serves": scenarios.FIRST,
    "a failing one is rolled back": scenarios.ROLLED_BACK,
}
COOL = 400.0  # seconds until everything kept warm has gone, and signals stand in status


async def reference(script: Sequence[Step]) -> tuple[dict[str, str], list[tuple[str, World]]]:
    """How the undisturbed run ends, and a copy of the world before and after each of its writes.

    What scenarios have in common is explored in one of them.
    """
    world, copies = World(script), []

    def keep(moment: str, number: int) -> None:
        if not script[min(world.position, len(script) - 1)].known:
            copies.append((f"{moment} {number}: {world.server.log[-1]}", world.fork()))

    world.server.before = lambda number: keep("before", number)
    world.server.after = lambda number: keep("after", number)
    await world.play()
    await world.rest(COOL)
    return ending(world), copies


@pytest.mark.parametrize("name", scenarios.ALL)
async def test_killed_around_every_write_it_ends_the_same_with_no_second_job(name: str) -> None:
    expected, copies = await reference(scenarios.ALL[name])
    assert len(copies) > 10
    done: set[tuple[int, float]] = set()
    for moment, world in copies:
        state = (world.store.version, world.now)
        if state not in done:  # after one write is mostly before the next
            done.add(state)
            await ends_as(expected, moment, world)


@pytest.mark.parametrize("name", DISTURBED)
async def test_a_conflict_at_any_write_changes_nothing_of_the_outcome(name: str) -> None:
    expected, copies = await reference(DISTURBED[name])
    for moment, world in copies:
        if moment.startswith("before"):
            world.server.faults = Faults(conflict=frozenset({world.server.writes + 1}))
            await ends_as(expected, f"conflict at {moment}", world)


@pytest.mark.parametrize("name", DISTURBED)
async def test_a_lost_answer_to_any_write_does_nothing_twice(name: str) -> None:
    expected, copies = await reference(DISTURBED[name])
    for moment, world in copies:
        if moment.startswith("before"):
            world.server.faults = Faults(lose_answer=frozenset({world.server.writes + 1}))
            await ends_as(expected, f"lost answer at {moment}", world)


async def test_killed_after_every_third_write_it_still_gets_there() -> None:
    script = scenarios.FIXED
    expected, copies = await reference(script)
    often = Faults(crash_after=frozenset(range(3, 4 * len(copies), 3)))
    world = faulty(script, often)
    await ends_as(expected, "every third", world)
    assert world.restarts > 10


async def ends_as(expected: dict[str, str], moment: str, world: World) -> None:
    """The rest of the script ends as the undisturbed run did, and breaks no invariant."""
    try:
        await world.play()
    except AssertionError as error:
        raise AssertionError(f"{moment}: {error}") from error
    await world.rest(COOL)
    found = ending(world)
    assert found == expected, moment
    assert not world.monitor.violations, moment
