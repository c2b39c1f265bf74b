"""No gateway: callers ask the Service, and shares are made by the number of pods."""

from __future__ import annotations

from typing import Any

from e2e.demo.model import condition
from e2e.suite.workspace import SERVING, Workspace

BY_PODS: dict[str, Any] = {
    "rollout.route": {"replicas": {}},
    "rollout.steps": [34, 50],
    "constraints.scale.replicas": {"min": 2, "max": 4},
}


def test_shares_by_pod_count_promote_a_better_version_and_take_a_failing_one_out(
    workspace: Workspace,
) -> None:
    workspace.model.apply("good", BY_PODS)
    workspace.live("good", SERVING)
    url = f"http://{workspace.name}.{workspace.namespace}.svc.cluster.local:8080/predict"
    workspace.traffic(options=("--fresh", f"--url={url}"))
    workspace.model.apply("better", BY_PODS)
    seen = workspace.exposed("better")
    assert "approximate" in condition(seen, "TrafficShifted")["message"]
    workspace.live("better")
    promoted = workspace.settled()
    assert sum(promoted.of("better")) > sum(promoted.of("good")) / 20
    workspace.model.apply("failing", BY_PODS)
    workspace.rolled_back()
    left = sum(workspace.settled().of("failing"))
    later = workspace.settled()
    assert sum(later.of("failing")) == left
    pods = workspace.kubectl.json(
        "-n", workspace.namespace, "get", "pods", "-l", "merit.dev/role=serving"
    )
    short = workspace.model.seen()["status"]["rejected"][0]["revision"][3:11]
    assert not [p for p in pods["items"] if short in p["metadata"]["name"]]
    print(f"answers of the failing version: {left}; failed in all: {later.failed} of {later.total}")
