"""A bad version loses its traffic, stays rejected, and gives way to a fixed one by itself."""

from __future__ import annotations

from e2e.demo.model import condition
from e2e.suite.workspace import Workspace


def test_a_failing_version_is_rolled_back_and_a_fixed_one_rolls_out_by_itself(
    workspace: Workspace,
) -> None:
    before = workspace.serve("good")
    workspace.model.apply("failing")
    seen = workspace.rolled_back()
    after = workspace.settled()
    assert seen["spec"]["model"]["version"] == "failing"
    assert seen["spec"]["rollback"]["fromStage"] == "Rollout"
    assert condition(seen, "Available")["status"] == "True"
    bad = after.failed - before.failed
    assert bad > 0
    print(f"bad requests by the customers' count: {bad} of {after.total - before.total}")
    assert workspace.settled().failed == after.failed
    generation, jobs = seen["metadata"]["generation"], workspace.model.jobs()
    workspace.model.apply("failing")
    workspace.settled()
    again = workspace.model.seen()
    assert again["metadata"]["generation"] == generation
    assert "candidate" not in again["status"]
    assert workspace.model.jobs() == jobs
    workspace.model.apply("better")
    fixed = workspace.live("better")
    assert "rollback" not in fixed["spec"]
    assert workspace.settled().failed == after.failed
