"""A script is run once, and again from a copy at each of its writes: killed there, or disturbed.

A copy has no operator, as after `kill -9`: a new one starts with what a LIST tells it. So each plan
costs only what comes after the crash.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Literal

from tests.world.ending import ending
from tests.world.server import Faults
from tests.world.world import Step, World

COOL = 400.0  # seconds until everything kept warm has gone, and signals stand in status

Copies = list[tuple[str, World]]


async def reference(script: Sequence[Step]) -> tuple[dict[str, str], Copies]:
    """How the undisturbed run ends, and a copy of the world before and after each of its writes.

    What scenarios have in common is explored in one of them.
    """
    world, copies = World(script), Copies()

    def keep(moment: str, number: int) -> None:
        if not script[min(world.position, len(script) - 1)].known:
            copies.append((f"{moment} {number}: {world.server.log[-1]}", world.fork()))

    world.server.before = lambda number: keep("before", number)
    world.server.after = lambda number: keep("after", number)
    await world.play()
    await world.rest(COOL)
    return ending(world), copies


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


async def killed_anywhere(script: Sequence[Step], *, least: int) -> AsyncIterator[World]:
    """Each world that was killed around a write, once it has ended as it should.

    `least`: as many copies there must be, so that a script without writes is no proof.
    """
    expected, copies = await reference(script)
    assert len(copies) >= least
    done: set[tuple[int, float]] = set()
    for moment, world in copies:
        state = (world.store.version, world.now)
        if state not in done:  # after one write is mostly before the next
            done.add(state)
            await ends_as(expected, moment, world)
            yield world


async def disturbed_anywhere(
    script: Sequence[Step], fault: Literal["conflict", "lose_answer"]
) -> AsyncIterator[World]:
    """Each world of which one write met the fault, once it has ended as it should."""
    expected, copies = await reference(script)
    for moment, world in copies:
        if moment.startswith("before"):
            world.server.faults = Faults(**{fault: frozenset({world.server.writes + 1})})
            await ends_as(expected, f"{fault} at {moment}", world)
            yield world
