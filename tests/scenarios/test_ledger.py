"""A full ledger drops the entries that can do no harm any more, and no others."""

from __future__ import annotations

from tests.scenarios.scripts import rollouts, steps
from tests.scenarios.scripts.steps import annotate, apply, handled, rejected
from tests.world.evaluations import Ending
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


async def test_a_rejected_revision_that_was_live_is_never_rolled_back_to() -> None:
    """`better` was rolled back; eleven refusals later `good` is to be rolled back, too."""
    world = await World((*rollouts.BY_HAND, *map(refused, MANY))).play()
    versions = [entry["version"] for entry in world.status["rejected"]]
    assert versions == [*reversed(MANY[1:]), "better"]
    annotate(world, "rollback", "INC-2")
    await world.run(handled("rollback"), 30.0, "there is nothing to go back to")
    await world.advance(60.0)
    assert world.version("stable") == "good" and world.weights == {"good": 100}
    assert not world.invariants.violations


async def test_a_full_ledger_is_restored_when_the_object_is_created_again() -> None:
    world = await World((*rollouts.BY_HAND, *map(refused, MANY), steps.delete())).play()
    again = apply(MANY[-1], rejected, hold=60.0)
    world.script = (*world.script, again)
    await world.play()
    assert len(world.status["rejected"]) == 11 and len(world.invariants.jobs) == 2 + len(MANY)
