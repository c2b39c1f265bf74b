"""Pods that are not well, and whose fault that is."""

from __future__ import annotations

from typing import Any

from tests.world.merge import Object
from tests.world.world import World


def pod(*, ready: bool, **container: Any) -> Object:
    """The status of a pod."""
    word = "True" if ready else "False"
    one = {"name": "server", "ready": ready, "restartCount": 0, "state": {}} | container
    conditions = [{"type": "Ready", "status": word}]
    return {"phase": "Running", "conditions": conditions, "containerStatuses": [one]}


LOOP = pod(
    ready=False,
    restartCount=3,
    state={"waiting": {"reason": "CrashLoopBackOff"}},
    lastState={"terminated": {"reason": "Error", "exitCode": 1}},
)
ONCE = pod(
    ready=True,
    restartCount=1,
    lastState={"terminated": {"reason": "OOMKilled", "exitCode": 137}},
)
LOST = pod(ready=False)


def ail(world: World, version: str, pods: int, status: Object) -> None:
    """So many pods of that version are in this state from now on."""
    world.actors.ailing[version] = (pods, status)
    world.restless = True


def well(world: World) -> None:
    """All are well again."""
    world.actors.ailing.clear()
    world.restless = True
