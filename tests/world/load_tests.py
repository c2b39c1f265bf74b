"""Gate 2: how each version behaves under load. The version's name decides, so nothing is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.loadtest.counts import Counts
from merit.loadtest.order import Order, load_order
from merit.loadtest.plan import Stage, next_stage
from merit.loadtest.report import encode
from tests.world.merge import Object

CAPACITY: dict[str, float] = {"slow": 70.0, "hopeless": 0.0}  # requests/s that a pod serves in time
WITH_LOAD_TEST = frozenset(
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
    """The result of `s` seconds at `rps` requests per second against that version's pods."""
    sent, le = int(rps * s), order.plan.le
    in_time = rps / len(order.targets) <= CAPACITY.get(version, 1e9)
    counts = [0] * (len(le) + 1)
    counts[0 if in_time else sum(1 for edge in le if edge < 180.0)] = sent
    lag = 0.5  # ms that the generator itself was late
    if version == "starved":  # beyond the limit, by no more than the generator was late
        lag = 40.0
        counts = [0] * (len(le) + 1)
        counts[sum(1 for edge in le if edge < 130.0)] = sent
    refused = sent if version == "misasked" else 0
    return Stage(rps, s, sent, sent, sent, 0, tuple(counts), lag99=lag, refused=refused)


def load_report(version: str, variables: Mapping[str, str]) -> str:
    """The termination message of the generator's container."""
    if version == "garbled":
        return '{"schema": "merit.dev/load/v1", '
    order = load_order(variables["MERIT_LOAD_PLAN"])
    done: list[Stage] = []
    while (following := next_stage(order.plan, done)) is not None:
        done.append(stage(version, order, *following))
    return encode(
        order.plan,
        done,
        replicas=len(order.targets),
        revision=variables["MERIT_REVISION"],
        nonce=variables["MERIT_NONCE"],
        bodies=[b"{}"],
        counts=counted(version, order, sum(stage.sent for stage in done)),
    )


def counted(version: str, order: Order, sent: int) -> Counts:
    """What that version's pods count themselves when so many requests are sent."""
    seen = None
    if order.scrape is not None and version != "mute":
        seen = sent // 2 if version == "shadowed" else sent
    why = order.uncounted or "/metrics on port 8080 answers 404"
    return Counts(sent, sent, 60.0, seen, why if seen is None else "")


def environment(template: Mapping[str, Any]) -> dict[str, str]:
    """The environment variables of a Job's first container."""
    return {e["name"]: str(e.get("value", "")) for e in template["spec"]["containers"][0]["env"]}


def unhealthy_status(version: str, *, loaded: bool) -> Object | None:
    """The status of a pod of a version that cannot serve; None for every other version."""
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


def quota_exceeded(version: str) -> Object | None:
    """The condition of a Deployment whose pods exceed the namespace's quota; None otherwise."""
    if version != "overquota":
        return None
    message = 'pods "p" is forbidden: exceeded quota: team'
    reason = {"reason": "FailedCreate", "message": message}
    return {"type": "ReplicaFailure", "status": "True"} | reason


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
    """Whether the Job belongs to gate 2."""
    return bool(job["metadata"].get("labels", {}).get("merit.dev/stage") == "feasibility")
