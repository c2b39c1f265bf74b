"""The operator is killed in mid-canary: the outcome is the same, and no customer notices."""

from __future__ import annotations

import pytest

from e2e.demo.environment import Environment
from e2e.suite.operators import Operators
from e2e.suite.workspace import Workspace


@pytest.fixture
def operators(environment: Environment) -> Operators:
    return Operators(environment.kubectl, environment.on)


def test_both_replicas_killed_twice_in_mid_canary_change_nothing(
    workspace: Workspace, operators: Operators
) -> None:
    before = workspace.serve("good")
    workspace.model.apply("better")
    seen = workspace.exposed("better")
    for _ in range(2):
        entered = seen["status"]["candidate"]["weight"]
        assert operators.kill() == 2
        seen = workspace.exposed("better", least=entered + 1)
    workspace.live("better")
    after = workspace.settled()
    assert after.failed == before.failed, after.last_error
    assert after.of("better")[0] > 0
    assert len(workspace.model.jobs()) <= 1
    promotions = [
        d for d in workspace.model.seen()["status"]["decisions"] if "promoted" in d["what"]
    ]
    assert len(promotions) == 2  # good, better: nothing was decided twice


def test_a_replica_that_is_asked_to_stop_gives_the_lease_to_the_other(
    environment: Environment, operators: Operators
) -> None:
    first = operators.led()
    pod = first.rpartition("-")[0]
    environment.kubectl("-n", "merit-system", "delete", "pod", pod, "--wait=false")
    second = operators.changed(first, seconds=10)
    assert second != first
