"""The operator is killed before and after each of its writes; every run must end the same."""

from __future__ import annotations

import pytest

from tests.scenarios.scripts import rollouts
from tests.world.crashes import disturbed_anywhere, ends_as, killed_anywhere, undisturbed
from tests.world.server import Faults
from tests.world.world import Step, faulty

Script = tuple[Step, ...]

SLOW = (
    "aborted by hand, and tried again",
    "a failing version is rolled back, a fixed one rolls out",
    "rejected under load, until a suggestion is taken",
    "a better version is promoted",
    "C is declared while B rolls back",
    "A, then B, then A again in mid-canary",
)
SCRIPTS = [
    pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in rollouts.ALL
]
DISTURBED = [
    pytest.param(rollouts.FIRST, id="a first version serves"),
    pytest.param(rollouts.ROLLED_BACK, id="a rollback", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("name", SCRIPTS)
async def test_killed_around_every_write_it_ends_the_same_with_no_second_job(name: str) -> None:
    async for _ in killed_anywhere(rollouts.ALL[name], least=11):
        pass


@pytest.mark.parametrize("script", DISTURBED)
async def test_a_conflict_at_any_write_changes_nothing_of_the_outcome(script: Script) -> None:
    async for _ in disturbed_anywhere(script, "conflict"):
        pass


@pytest.mark.parametrize("script", DISTURBED)
async def test_a_lost_answer_to_any_write_does_nothing_twice(script: Script) -> None:
    async for _ in disturbed_anywhere(script, "lose_answer"):
        pass


async def test_killed_after_every_third_write_it_ends_the_same() -> None:
    script = rollouts.FIXED
    expected, copies = await undisturbed(script)
    often = Faults(crash_after=frozenset(range(3, 4 * len(copies), 3)))
    world = faulty(script, often)
    await ends_as(expected, "every third", world)
    assert world.restarts > 10
