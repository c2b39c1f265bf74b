"""Pods as their kubelets report them: the status objects that the actors write."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tests.world.merge import Object

STARTUP = 4.0  # seconds from creation until a pod is ready


def pod_status(*, ready: bool, **container: Any) -> Object:
    """The status of a running pod with one container; `container` overrides its fields."""
    one = {"name": "server", "ready": ready, "restartCount": 0, "state": {}} | container
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {"phase": "Running", "conditions": conditions, "containerStatuses": [one]}


CRASH_LOOP = pod_status(
    ready=False,
    restartCount=3,
    state={"waiting": {"reason": "CrashLoopBackOff"}},
    lastState={"terminated": {"reason": "Error", "exitCode": 1}},
)
OOM_KILLED_ONCE = pod_status(
    ready=True,
    restartCount=1,
    lastState={"terminated": {"reason": "OOMKilled", "exitCode": 137}},
)
NOT_READY = pod_status(ready=False)


def new_pod(owner: Object, template: Object, name: str) -> Object:
    """The pod that a Deployment or a Job makes from its template."""
    labels = dict(template.get("metadata", {}).get("labels", {}))
    if owner["kind"] == "Job":
        labels |= {"job-name": owner["metadata"]["name"]}
        labels |= {"batch.kubernetes.io/job-name": owner["metadata"]["name"]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": owner["metadata"]["namespace"],
            "labels": labels,
            "annotations": dict(template.get("metadata", {}).get("annotations", {})),
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": template["spec"],
    }


def running(pod: Object) -> Object:
    """The status of a pod whose containers are all up since its startup time."""
    started = stamp(created(pod) + STARTUP)
    return {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": started}],
        "containerStatuses": [
            {
                "name": container["name"],
                "ready": True,
                "restartCount": 0,
                "imageID": "sha256:0123",
                "state": {"running": {"startedAt": started}},
            }
            for container in pod["spec"]["containers"]
        ],
    }


def crash_looping(pod: Object) -> Object:
    """The status of a pod that was up and now restarts again and again."""
    status = running(pod)
    status["conditions"][0]["status"] = "False"
    for container in status["containerStatuses"]:
        container |= {"ready": False, "restartCount": 3}
        container["state"] = {"waiting": {"reason": "CrashLoopBackOff"}, "running": None}
        container["lastState"] = {"terminated": {"exitCode": 1, "reason": "Error"}}
    return status


def is_active(pod: Object) -> bool:
    """Whether its Deployment counts it: it has not ended and is not being deleted."""
    ended = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
    return not ended and "deletionTimestamp" not in pod["metadata"]


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Whether the status says Ready."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def address(pod: Object) -> str:
    """An IP address that is always the same for the same pod name."""
    number = zlib.crc32(pod["metadata"]["name"].encode())
    return f"10.88.{number % 251}.{number // 251 % 251}"


def owner_reference(obj: Object) -> Object:
    """The controller reference to an object."""
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": obj["metadata"]["name"],
        "uid": obj["metadata"]["uid"],
        "controller": True,
    }


def created(obj: Object) -> float:
    """When the object was created, Unix seconds."""
    text = obj["metadata"]["creationTimestamp"].replace("Z", "+00:00")
    return datetime.fromisoformat(text).timestamp()


def stamp(now: float) -> str:
    """Unix seconds as Kubernetes writes them."""
    return datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
