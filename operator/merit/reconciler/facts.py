"""From projections of the cache to the facts that decisions are made from. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from merit.api.names import ANNOTATION_HASH, KIND, LABEL_REVISION
from merit.children.workload import PROGRESS_DEADLINE
from merit.policy.observed import Arm
from merit.policy.times import seconds

Object = Mapping[str, Any]
_LOOP = "crash loop"
GIVEN_UP = 360.0  # seconds: silence of a node (50), toleration of its pods (300), and a little
_PULL = {"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull"}


def owned_by(obj: Object, uid: str) -> bool:
    """Whether the object is a child of the resource with this uid."""
    return any(o.get("uid") == uid for o in obj["metadata"].get("ownerReferences") or ())


def of_predecessor(obj: Object, name: str, uid: str) -> bool:
    """Whether it belonged to a deleted resource of the same name, and is being collected."""
    owners = obj["metadata"].get("ownerReferences") or ()
    return any(
        o.get("kind") == KIND and o.get("name") == name and o.get("uid") != uid for o in owners
    )


def applied(obj: Object | None) -> str:
    """The hash of what was applied last, or nothing."""
    return str(((obj or {}).get("metadata", {}).get("annotations") or {}).get(ANNOTATION_HASH, ""))


def arm_facts(
    short: str,
    deployment: Object | None,
    pods: Iterable[Object],
    *,
    in_sync: bool,
    now: float,
    service: Object | None = None,
) -> Arm:
    """What Kubernetes says of one revision's pods at Unix time `now`."""
    if deployment is None:
        return Arm(short=short)
    known = [p for p in pods if _lives(p)]
    alive = [p for p in known if (p["metadata"].get("labels") or {}).get(LABEL_REVISION) == short]
    down = [d for p in alive if (d := _down(p))]
    blocked_by, blocked = next((b for p in alive if (b := why_blocked(p))), None) or _quota(
        deployment
    )
    detail = down[0] if down else _progress(deployment)
    return Arm(
        short=short,
        exists=True,
        in_sync=in_sync,
        desired=int((deployment.get("spec") or {}).get("replicas", 1)),
        ready=sum(_is_true(p, "Ready") for p in alive),
        ready_since=min((_turned(p, "Ready") for p in alive if _is_true(p, "Ready")), default=0.0),
        restarts=sum(_restarts(p) for p in alive),
        down=len(down),
        crashed=sum(bool(_down(p)) or _crashed(p) for p in alive),
        looping=sum(d.startswith(_LOOP) for d in down),
        blocked=blocked,
        blocked_by=blocked_by,
        deadline_exceeded=bool(_progress(deployment)) and _had_time(alive, known, now),
        detail=detail,
        diverted=_selects(service) not in ("", short),
    )


def _lives(pod: Object) -> bool:
    """Whether its Deployment counts on it: what a node has ended stays as a record for long."""
    ended = (pod.get("status") or {}).get("phase") in ("Failed", "Succeeded")
    return not ended and not pod["metadata"].get("deletionTimestamp")


def _had_time(mine: Iterable[Object], known: Iterable[Object], now: float) -> bool:
    """Whether a pod that is not ready has had its whole time to become so, on a node that lives.

    A node that shows no ready pod may be lost; then its pods are made again elsewhere, and begin
    anew, until `GIVEN_UP` after it at the latest.
    """
    living = {_node(p) for p in known if _is_true(p, "Ready")}
    return any(
        now - _created(pod) >= PROGRESS_DEADLINE + (0.0 if _node(pod) in living else GIVEN_UP)
        for pod in mine
        if not _is_true(pod, "Ready")
    )


def _node(pod: Object) -> str:
    return str((pod.get("spec") or {}).get("nodeName", ""))


def _created(pod: Object) -> float:
    return seconds(str(pod["metadata"].get("creationTimestamp", "")))


def _selects(service: Object | None) -> str:
    """The revision whose pods a Service leads to; empty if it names none."""
    chosen = ((service or {}).get("spec") or {}).get("selector") or {}
    return str(chosen.get(LABEL_REVISION, ""))


def _is_true(pod: Object, condition: str) -> bool:
    return any(
        c.get("type") == condition and c.get("status") == "True"
        for c in (pod.get("status") or {}).get("conditions") or ()
    )


def _turned(pod: Object, condition: str) -> float:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    at = (c.get("lastTransitionTime") for c in conditions if c.get("type") == condition)
    return seconds(str(next(at, None) or ""))


def _containers(pod: Object) -> list[Object]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _restarts(pod: Object) -> int:
    return sum(int(c.get("restartCount", 0)) for c in _containers(pod))


def _down(pod: Object) -> str:
    """How this pod fails by its own fault, or nothing."""
    for container in _containers(pod):
        waiting = (container.get("state") or {}).get("waiting") or {}
        last = (container.get("lastState") or {}).get("terminated") or {}
        if waiting.get("reason") == "CrashLoopBackOff":
            code = last.get("exitCode", "?")
            return f"{_LOOP} (exit code {code}, {container.get('restartCount', 0)} restarts)"
        if last.get("reason") == "OOMKilled" and not container.get("ready"):
            return "out of memory"
    return ""


def _crashed(pod: Object) -> bool:
    """It is up again, and ended by its own fault before; what a node does to it is not counted."""
    for container in _containers(pod):
        last = (container.get("lastState") or {}).get("terminated") or {}
        if last.get("reason") in ("OOMKilled", "Error") and last.get("exitCode") != 255:
            return True
    return False


def why_blocked(pod: Object) -> tuple[str, str] | None:
    """What the platform lacks for this pod, in a word and a sentence: never the model's fault."""
    for container in _containers(pod):
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in _PULL:
            return "ImagePull", f"image cannot be pulled: {str(waiting.get('message', ''))[:160]}"
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "Unschedulable":
            return "Unschedulable", f"no node: {str(condition.get('message', ''))[:160]}"
    return None


def _quota(deployment: Object) -> tuple[str, str]:
    for condition in (deployment.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            said = str(condition.get("message", ""))[:160]
            return "QuotaExceeded", f"pods are refused: {said}"
    return "", ""


def _progress(deployment: Object) -> str:
    for condition in (deployment.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "Progressing" and condition.get("status") == "False":
            return f"never became ready: {str(condition.get('message', ''))[:160]}"
    return ""
