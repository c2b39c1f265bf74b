"""No gateway: callers ask the Service, and shares are made by the number of pods."""

from __future__ import annotations

from typing import Any

from e2e.demo.model import condition
from e2e.suite.place import SERVING, Place

BY_PODS: dict[str, Any] = {
    "rollout.route": {"replicas": {}},
    "rollout.steps": [34, 50],
    "constraints.scale.replicas": {"min": 2, "max": 4},
}


def test_shares_by_pod_count_promote_a_better_version_and_take_a_failing_one_out(
    place: Place,
) -> None:
    place.model.apply("good", BY_PODS)
    place.live("good", SERVING)
    url = f"http://{place.name}.{place.namespace}.svc.cluster.local:8080/predict"
    place.traffic(options=("--fresh", f"--url={url}"))
    place.model.apply("better", BY_PODS)
    seen = place.exposed("better")
    assert "approximate" in condition(seen, "TrafficShifted")["message"]
    place.live("better")
    promoted = place.settled()
    assert sum(promoted.of("better")) > sum(promoted.of("good")) / 20
    place.model.apply("failing", BY_PODS)
    place.rolled_back()
    left = sum(place.settled().of("failing"))
    later = place.settled()
    assert sum(later.of("failing")) == left
    pods = place.kubectl.json("-n", place.namespace, "get", "pods", "-l", "merit.dev/role=serving")
    short = place.model.seen()["status"]["rejected"][0]["revision"][3:11]
    assert not [p for p in pods["items"] if short in p["metadata"]["name"]]
    print(f"answers of the failing version: {left}; failed in all: {later.failed} of {later.total}")
