"""A bad version loses its traffic, stays rejected, and gives way to a fixed one by itself."""

from __future__ import annotations

from e2e.demo.model import condition
from e2e.suite.place import Place


def test_a_failing_version_is_rolled_back_and_a_fixed_one_rolls_out_by_itself(place: Place) -> None:
    before = place.serve("good")
    place.model.apply("failing")
    seen = place.rolled_back()
    after = place.settled()
    assert seen["spec"]["model"]["version"] == "failing"
    assert seen["spec"]["rollback"]["fromStage"] == "Rollout"
    assert condition(seen, "Available")["status"] == "True"
    bad = after.failed - before.failed
    assert bad > 0
    print(f"bad requests by the customers' count: {bad} of {after.total - before.total}")
    assert place.settled().failed == after.failed
    generation, jobs = seen["metadata"]["generation"], place.model.jobs()
    place.model.apply("failing")
    place.settled()
    again = place.model.seen()
    assert again["metadata"]["generation"] == generation
    assert "candidate" not in again["status"]
    assert place.model.jobs() == jobs
    place.model.apply("better")
    fixed = place.live("better")
    assert "rollback" not in fixed["spec"]
    assert place.settled().failed == after.failed
