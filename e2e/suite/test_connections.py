"""Clients that keep their connections: no move of traffic costs them an answer, and none strands.

A weight is only as good as what it does to connections that are open already. Few connections that
are used again and again are HTTP/1.1 as most clients speak it; one HTTP/2 connection carries all
requests at once.
"""

from __future__ import annotations

import pytest
import yaml

from e2e.demo.kubectl import wait_for
from e2e.demo.model import Object, condition
from e2e.suite.workspace import Workspace

KEPT = ("--connections=4",)
HTTP2 = ("--connections=1", "--h2c")
PLAIN = "before-merit"


@pytest.mark.parametrize("speaking", [KEPT, HTTP2], ids=["keep-alive", "http2"])
def test_open_connections_see_no_error_and_leave_a_rejected_arm(
    workspace: Workspace, speaking: tuple[str, ...]
) -> None:
    before = workspace.serve("good", options=speaking)
    workspace.model.apply("better")
    workspace.live("better")
    promoted = workspace.settled()
    assert promoted.failed == before.failed
    assert sum(promoted.of("better")) > 0
    workspace.model.apply("failing")
    workspace.rolled_back()
    workspace.settled()  # what was under way when the weight fell
    left = sum(workspace.settled().of("failing"))
    later = workspace.settled()
    assert sum(later.of("failing")) == left
    assert later.failed == later.of("failing")[1] + before.failed
    print(f"answers of the rejected version to open connections: {left}, none afterwards")


def test_a_running_service_moves_to_merit_without_a_failed_request(workspace: Workspace) -> None:
    for obj in _running(workspace.model.manifest("good"), workspace.namespace, workspace.host):
        workspace.kubectl("apply", "-f", "-", given=yaml.safe_dump(obj))
    workspace.kubectl(
        *("-n", workspace.namespace, "rollout", "status", f"deployment/{PLAIN}", "--timeout=120s"),
        patience=130,
    )
    before = workspace.traffic(options=KEPT)
    workspace.model.apply("better")
    workspace.live("better")
    beside = workspace.settled()
    assert beside.failed == before.failed
    assert sum(beside.of("better")) == 0  # of two routes for one host the older one has it
    shifted = condition(workspace.model.seen(), "TrafficShifted")
    assert (shifted["status"], shifted["reason"]) == ("False", "RouteNotAccepted")
    workspace.kubectl("-n", workspace.namespace, "delete", f"httproute/{PLAIN}")
    wait_for(
        "an answer of Merit's revision", 60, lambda: sum(workspace.settled().of("better")) or None
    )
    moved = workspace.settled()
    old = sum(moved.of("good"))
    after = workspace.settled()
    assert after.failed == before.failed
    assert sum(after.of("good")) == old


def _running(merit: Object, namespace: str, host: str) -> list[Object]:
    """What runs before anybody thinks of Merit: a Deployment, a Service, a route."""
    template = merit["spec"]["serving"]["template"]
    labels = {"app": PLAIN}
    template.setdefault("metadata", {})["labels"] = labels
    model = merit["spec"]["model"]
    for container in template["spec"]["containers"]:
        given = {"MERIT_MODEL_VERSION": model["version"], "MERIT_MODEL_URI": model["uri"]}
        container["env"] = [
            *container.get("env", []),
            *({"name": name, "value": value} for name, value in given.items()),
        ]
    port = merit["spec"]["serving"]["port"]
    gateway = merit["spec"]["rollout"]["route"]["gateway"]
    meta = {"name": PLAIN, "namespace": namespace}
    backends = [{"name": PLAIN, "port": port}]
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": meta,
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {"selector": labels, "ports": [{"port": port}]},
        },
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": meta,
            "spec": {
                "parentRefs": gateway["parentRefs"],
                "hostnames": [host],
                "rules": [{"backendRefs": backends}],
            },
        },
    ]
