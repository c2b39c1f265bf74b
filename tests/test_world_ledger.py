"""A full ledger forgets what does no harm any more, and nothing else."""

from __future__ import annotations

from tests.world import scenarios
from tests.world.evaluations import Ending
from tests.world.scenarios import annotate, apply, handled, rejected
from tests.world.world import Step, World

WORSE = {"metrics": {"recall": {"v": 0.41, "n": 5000}}}
MANY = [f"inaccurate-{i}" for i in range(11)]


def refused(version: str) -> Step:
    """A version that is no better than `inaccurate`."""
    step = apply(version, lambda world: rejected(world) and _declared(world) == version)

    def do(world: World) -> None:
        world.actors.endings[version] = (Ending(parts=WORSE),)
        step.do(world)

    return Step(do, step.until, hold=5.0, name=version)


def _declared(world: World) -> str:
    return str(world.status["rejected"][0].get("version"))


async def test_what_was_live_and_fell_is_never_gone_back_to() -> None:
    """`better` was rolled back; eleven refusals later `good` is to be rolled back, too."""
    world = await World((*scenarios.BY_HAND, *map(refused, MANY))).play()
    versions = [entry["version"] for entry in world.status["rejected"]]
    assert versions == [*reversed(MANY[1:]), "better"]
    annotate(world, "rollback", "INC-2")
    await world.run(handled("rollback"), 30.0, "there is nothing to go back to")
    await world.rest(60.0)
    assert world.version("stable") == "good" and world.weights == {"good": 100}
    assert not world.monitor.violations


async def test_a_full_ledger_comes_back_whole_when_the_object_is_made_again() -> None:
    world = await World((*scenarios.BY_HAND, *map(refused, MANY), scenarios.delete())).play()
    again = apply(MANY[-1], rejected, hold=60.0)
    world.script = (*world.script, again)
    await world.play()
    assert len(world.status["rejected"]) == 11 and len(world.monitor.jobs) == 2 + len(MANY)
