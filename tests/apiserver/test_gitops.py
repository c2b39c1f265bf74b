"""What GitOps tools and people do to an object that was rolled back: nothing moves it."""

from __future__ import annotations

import pytest

from tests.apiserver.stage import Stage, live, rolled_back

pytestmark = pytest.mark.apiserver


async def after_a_rollback(stage: Stage) -> None:
    stage.declare("good")
    await stage.run(live("good"), "the first version serves")
    stage.declare("failing")
    await stage.run(rolled_back, "the second one is rolled back")


async def test_the_bad_manifest_applied_again_moves_nothing(stage: Stage) -> None:
    await after_a_rollback(stage)
    await stage.rest(400.0)  # until its pods are gone, and the signals of the first are in status
    before = stage.mdep
    for _ in range(3):
        stage.declare("failing")
        await stage.rest(60.0)
    assert stage.mdep["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert stage.weights == {"good": 100}
