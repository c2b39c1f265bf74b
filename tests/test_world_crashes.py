"""The operator is killed before and after every write it makes; every run must end the same."""

from __future__ import annotations

import pytest

from tests.world import scenarios
from tests.world.crashing import disturbed_anywhere, ends_as, killed_anywhere, reference
from tests.world.server import Faults
from tests.world.world import faulty

DISTURBED = {
    "a first version serves": scenarios.FIRST,
    "a failing one is rolled back": scenarios.ROLLED_BACK,
}


@pytest.mark.parametrize("name", scenarios.ALL)
async def test_killed_around_every_write_it_ends_the_same_with_no_second_job(name: str) -> None:
    async for _ in killed_anywhere(scenarios.ALL[name], least=11):
        pass


@pytest.mark.parametrize("name", DISTURBED)
async def test_a_conflict_at_any_write_changes_nothing_of_the_outcome(name: str) -> None:
    async for _ in disturbed_anywhere(DISTURBED[name], "conflict"):
        pass


@pytest.mark.parametrize("name", DISTURBED)
async def test_a_lost_answer_to_any_write_does_nothing_twice(name: str) -> None:
    async for _ in disturbed_anywhere(DISTURBED[name], "lose_answer"):
        pass


async def test_killed_after_every_third_write_it_still_gets_there() -> None:
    script = scenarios.FIXED
    expected, copies = await reference(script)
    often = Faults(crash_after=frozenset(range(3, 4 * len(copies), 3)))
    world = faulty(script, often)
    await ends_as(expected, "every third", world)
    assert world.restarts > 10
