"""Versions that differ under load, and pods that misbehave: read off the version, so it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.evidence.load import Stage, next_stage
from merit.evidence.load_counts import Counts
from merit.evidence.load_order import Order, load_order
from merit.load.report import encode
from tests.world.merge import Object

HOLDS: dict[str, float] = {"slow": 70.0, "hopeless": 0.0}  # requests per second and pod, in time
LOADED = frozenset(
    {"slow", "brisk", "hopeless", "starved", "misasked", "garbled", "leaky"}
    | {"mute", "shadowed"}
    | {"crashing", "unschedulable", "unpullable", "overquota"}
)
LOAD = {
    "duration": "10s",
    "headroom": "20%",
    "request": {"path": "/predict", "bodiesFrom": {"configMap": "samples"}},
}


def stage(version: str, order: Order, rps: float, s: float) -> Stage:
    """One stage against that version's pods."""
    sent, le = int(rps * s), order.plan.le
    in_time = rps / len(order.targets) <= HOLDS.get(version, 1e9)
    counts = [0] * (len(le) + 1)
    counts[0 if in_time else sum(1 for edge in le if edge < 180.0)] = sent
    late = 0.5
    if version == "starved":  # slower than the limit, by no more than the generator was late
        late = 40.0
        counts = [0] * (len(le) + 1)
        counts[sum(1 for edge in le if edge < 130.0)] = sent
    refused = sent if version == "misasked" else 0
    return Stage(rps, s, sent, sent, sent, 0, tuple(counts), lag99=late, refused=refused)


def load_report(version: str, given: Mapping[str, str]) -> str:
    """What the generator's container leaves for the kubelet."""
    if version == "garbled":
        return '{"schema": "merit.dev/load/v1", '
    order = load_order(given["MERIT_LOAD_PLAN"])
    gone: list[Stage] = []
    while (following := next_stage(order.plan, gone)) is not None:
        gone.append(stage(version, order, *following))
    return encode(
        order.plan,
        gone,
        replicas=len(order.targets),
        revision=given["MERIT_REVISION"],
        nonce=given["MERIT_NONCE"],
        bodies=[b"{}"],
        counts=counted(version, order, sum(stage.sent for stage in gone)),
    )


def counted(version: str, order: Order, sent: int) -> Counts:
    """What that version's pods say of as many requests."""
    seen = None
    if order.scrape is not None and version != "mute":
        seen = sent // 2 if version == "shadowed" else sent
    why = order.uncounted or "/metrics on port 8080 answers 404"
    return Counts(sent, sent, 60.0, seen, why if seen is None else "")


def given(template: Mapping[str, Any]) -> dict[str, str]:
    """The variables of a Job's first container."""
    return {e["name"]: str(e.get("value", "")) for e in template["spec"]["containers"][0]["env"]}


def sick(version: str, *, loaded: bool) -> Object | None:
    """The status of a pod of that version that never serves; None if it does."""
    waiting: dict[str, tuple[str, str]] = {
        "crashing": ("CrashLoopBackOff", "back-off"),
        "unpullable": ("ImagePullBackOff", 'image "example.com/server:1": not found'),
    }
    if version == "unschedulable":
        scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
        return {"phase": "Pending", "conditions": [scheduled | {"message": "Insufficient cpu"}]}
    if version == "leaky" and loaded:
        return _container("CrashLoopBackOff", "back-off", "OOMKilled")
    if version in waiting:
        return _container(*waiting[version], "Error")
    return None


def over_quota(version: str) -> Object | None:
    """The condition of a Deployment whose pods the namespace has no room for."""
    if version != "overquota":
        return None
    said = 'pods "p" is forbidden: exceeded quota: team'
    return {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": said}


def _container(reason: str, message: str, last: str) -> Object:
    state = {"waiting": {"reason": reason, "message": message}}
    ended = {"terminated": {"exitCode": 137 if last == "OOMKilled" else 1, "reason": last}}
    status = {"name": "server", "ready": False, "restartCount": 5, "state": state}
    return {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "False"}],
        "containerStatuses": [status | {"lastState": ended}],
    }


def is_load_test(job: Mapping[str, Any]) -> bool:
    """Whether a Job is one of gate 2."""
    return bool(job["metadata"].get("labels", {}).get("merit.dev/stage") == "feasibility")
