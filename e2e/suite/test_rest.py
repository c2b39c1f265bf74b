"""An object at rest costs the API server nothing; a model that turns bad is no longer trusted."""

from __future__ import annotations

import time

from e2e.demo.environment import Environment
from e2e.demo.kubectl import wait_for
from e2e.demo.model import condition
from e2e.suite.operators import Operators
from e2e.suite.workspace import Workspace

QUIET = 300.0  # seconds
DRAINED = 45.0  # seconds after which nothing of a promotion is left to do


def test_five_minutes_after_a_promotion_the_operator_asks_nothing_about_the_object(
    environment: Environment, workspace: Workspace
) -> None:
    operators = Operators(environment.kubectl, environment.on)
    workspace.serve("good")
    workspace.model.apply("better", {"rollbackPolicy.keepWarm": "10s"})
    workspace.live("better")
    begin = time.time() + DRAINED
    end = begin + QUIET
    wait_for("five quiet minutes", DRAINED + QUIET + 10, lambda: time.time() > end or None)
    assert operators.requests(workspace.namespace, begin, end) == []
    assert condition(workspace.model.seen(), "Ready")["status"] == "True"
