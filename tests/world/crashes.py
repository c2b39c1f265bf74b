"""Crash tests: a script runs once, then again from a copy of the world at each of its writes.

The operator of a copy is gone, as after `kill -9`, and a new one starts from what a LIST returns.
So each crash point costs only what comes after it. Every run must end as the undisturbed one did.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal

from tests.world.server import Faults
from tests.world.world import Step, World

COOL = 400.0  # seconds after which warm predecessors are gone and status shows all signals
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
NUMBER = re.compile(r"\b\d[\d,.]*(?![0-9a-z])")
MEASURED = frozenset({"analysis", "signals", "next", "applied", "watch"})
RANDOM = frozenset({"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"})
TIMES = frozenset({"observedGeneration", "started", "finishedAt"})

Copies = list[tuple[str, World]]


async def undisturbed(script: Sequence[Step]) -> tuple[dict[str, str], Copies]:
    """How the run ends without any fault, and a copy of the world before and after each write.

    Steps that are marked `covered_elsewhere` give no copies: another script explores them.
    """
    world, copies = World(script), Copies()

    def keep(moment: str, number: int) -> None:
        if not script[min(world.position, len(script) - 1)].covered_elsewhere:
            copies.append((f"{moment} {number}: {world.server.log[-1]}", world.fork()))

    world.server.before = lambda number: keep("before", number)
    world.server.after = lambda number: keep("after", number)
    await world.play()
    await world.advance(COOL)
    return ending(world), copies


async def ends_as(expected: dict[str, str], moment: str, world: World) -> None:
    """Play the rest of the script; it must end as expected and break no invariant."""
    try:
        await world.play()
    except AssertionError as error:
        raise AssertionError(f"{moment}: {error}") from error
    await world.advance(COOL)
    found = ending(world)
    assert found == expected, moment
    assert not world.invariants.violations, moment


async def killed_anywhere(script: Sequence[Step], *, least: int) -> AsyncIterator[World]:
    """Each world whose operator was killed around one write, after it has ended as it should.

    `least`: the number of copies there must be at the least; a script without writes proves
    nothing.
    """
    expected, copies = await undisturbed(script)
    assert len(copies) >= least
    seen: set[tuple[int, float]] = set()
    for moment, world in copies:
        state = (world.store.version, world.now)
        if state not in seen:  # after one write is mostly the same as before the next
            seen.add(state)
            await ends_as(expected, moment, world)
            yield world


async def disturbed_anywhere(
    script: Sequence[Step], fault: Literal["conflict", "lose_answer"]
) -> AsyncIterator[World]:
    """Each world in which one write met the fault, after it has ended as it should."""
    expected, copies = await undisturbed(script)
    for moment, world in copies:
        if moment.startswith("before"):
            world.server.faults = Faults(**{fault: frozenset({world.server.writes + 1})})
            await ends_as(expected, f"{fault} at {moment}", world)
            yield world


def ending(world: World) -> dict[str, str]:
    """What is left of a run, to be compared with another run.

    Every object but Events (a crash may lose one, or write it twice) as text, without times, uids,
    versions and measurements; and the names of all Jobs that were ever created.
    """
    left = {
        "/".join(ref): json.dumps(_masked(obj), sort_keys=True, indent=1)
        for ref, obj in sorted(world.store.objects.items())
        if ref[0] != "Event"
    }
    return left | {"jobs": json.dumps(sorted(world.invariants.jobs))}


def is_measured(path: tuple[str, ...], key: str) -> bool:
    """Whether a field of status holds counts: they depend on the second in which it was written."""
    within = {("status",): MEASURED, ("status", "rejected"): {"signals"}}
    return key in (within | {("status", "candidate"): {"measured"}}).get(path, ())


def _masked(value: Any, path: tuple[str, ...] = ()) -> Any:
    if isinstance(value, dict):
        return {
            key: _masked(child, (*path, key))
            for key, child in value.items()
            if key not in RANDOM | TIMES and not is_measured(path, key)
        }
    if isinstance(value, list):
        return [_masked(child, path) for child in value]
    if isinstance(value, str):
        return NUMBER.sub("#", TIME.sub("T", value))
    return value
