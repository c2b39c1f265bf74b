"""What the cache's projections say about the pods of a revision. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from merit.api.names import ANNOTATION_HASH, KIND, LABEL_REVISION
from merit.objects.workload import PROGRESS_DEADLINE
from merit.policy.state.observed import RevisionPods
from merit.policy.state.times import seconds

Object = Mapping[str, Any]
_LOOP = "crash loop"
RECENT = 600.0  # seconds: an older end is history, whatever restartCount adds up to
NODE_LOST = 360.0  # seconds: until a node counts as lost (50), until its pods go (300), and some
_PULL = {"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull"}


def owned_by(obj: Object, uid: str) -> bool:
    """Whether the object is a child of the resource with this uid."""
    return any(o.get("uid") == uid for o in obj["metadata"].get("ownerReferences") or ())


def of_predecessor(obj: Object, name: str, uid: str) -> bool:
    """Whether it belonged to a deleted resource of the same name, so that it will be collected."""
    owners = obj["metadata"].get("ownerReferences") or ()
    return any(
        o.get("kind") == KIND and o.get("name") == name and o.get("uid") != uid for o in owners
    )


def applied_hash(obj: Object | None) -> str:
    """The hash of what was applied last; empty if there is none."""
    return str(((obj or {}).get("metadata", {}).get("annotations") or {}).get(ANNOTATION_HASH, ""))


def pod_facts(
    short: str,
    deployment: Object | None,
    pods: Iterable[Object],
    *,
    in_sync: bool,
    now: float,
    service: Object | None = None,
    server: str = "",
) -> RevisionPods:
    """What Kubernetes says of one revision's pods at Unix time `now`.

    `server`: the container whose end is the model's fault; empty if it is not known, so that all
    but init containers count. What runs before or beside it is judged by whether the pod is ready.
    """
    if deployment is None:
        return RevisionPods(short=short)
    existing = [p for p in pods if _counts(p)]
    ours = [p for p in existing if (p["metadata"].get("labels") or {}).get(LABEL_REVISION) == short]
    serving = [(p, _serving(p, server)) for p in ours]
    down = [reason for _, found in serving if (reason := _down(found))]
    blocked = next((why for p in ours if (why := why_blocked(p))), None) or _quota(deployment)
    not_progressing = _progress(deployment)
    return RevisionPods(
        short=short,
        exists=True,
        in_sync=in_sync,
        desired=int((deployment.get("spec") or {}).get("replicas", 1)),
        ready=sum(is_true(p, "Ready") for p in ours),
        ready_since=min((_since(p) for p in ours if is_true(p, "Ready")), default=0.0),
        restarts=max((_restarts(found) for _, found in serving), default=0),
        down=len(down),
        crashed=sum(bool(_down(found)) or _crashed(p, found, now) for p, found in serving),
        looping=sum(reason.startswith(_LOOP) for reason in down),
        blocked_by=blocked[0],
        blocked=blocked[1],
        deadline_exceeded=bool(not_progressing) and _had_time(ours, existing, now),
        detail=down[0] if down else not_progressing,
        diverted=_selects(service) not in ("", short),
    )


def _counts(pod: Object) -> bool:
    """Whether its Deployment counts it: a pod that its node has ended is kept as a record."""
    ended = (pod.get("status") or {}).get("phase") in ("Failed", "Succeeded")
    return not ended and not pod["metadata"].get("deletionTimestamp")


def _had_time(ours: Iterable[Object], existing: Iterable[Object], now: float) -> bool:
    """Whether a pod that is not ready has had all its time to become ready, on a node that works.

    A node without a ready pod may be lost: its pods get `NODE_LOST` more, in which they are created
    again elsewhere, and start anew.
    """
    alive = {_node(p) for p in existing if is_true(p, "Ready")}
    return any(
        now - _created(pod) >= PROGRESS_DEADLINE + (0.0 if _node(pod) in alive else NODE_LOST)
        for pod in ours
        if not is_true(pod, "Ready")
    )


def _node(pod: Object) -> str:
    return str((pod.get("spec") or {}).get("nodeName", ""))


def _since(pod: Object) -> float:
    return seconds(str(condition(pod, "Ready").get("lastTransitionTime") or ""))


def _created(pod: Object) -> float:
    return seconds(str(pod["metadata"].get("creationTimestamp", "")))


def _selects(service: Object | None) -> str:
    """The revision whose pods a Service selects; empty if it names none."""
    chosen = ((service or {}).get("spec") or {}).get("selector") or {}
    return str(chosen.get(LABEL_REVISION, ""))


def condition(obj: Object, kind: str) -> Object:
    """The condition of that type; empty if there is none."""
    conditions: Iterable[Object] = (obj.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each.get("type") == kind), {})


def is_true(obj: Object, kind: str) -> bool:
    """Whether its condition of that type is True."""
    return bool(condition(obj, kind).get("status") == "True")


def containers(pod: Object | None) -> list[Object]:
    """The statuses of all its containers, in the order in which they run."""
    status = (pod or {}).get("status") or {}
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _serving(pod: Object, server: str) -> list[Object]:
    """The status of the serving container; of all regular ones where its name is not known."""
    regular = (pod.get("status") or {}).get("containerStatuses") or ()
    return [c for c in regular if not server or c.get("name") == server]


def _restarts(serving: Iterable[Object]) -> int:
    return sum(int(c.get("restartCount", 0)) for c in serving)


def _down(serving: Iterable[Object]) -> str:
    """How a pod fails by its own fault; empty if it does not."""
    for container in serving:
        waiting = (container.get("state") or {}).get("waiting") or {}
        last = (container.get("lastState") or {}).get("terminated") or {}
        if waiting.get("reason") == "CrashLoopBackOff":
            code = last.get("exitCode", "?")
            return f"{_LOOP} (exit code {code}, {container.get('restartCount', 0)} restarts)"
        if last.get("reason") == "OOMKilled" and not container.get("ready"):
            return "out of memory"
    return ""


def _crashed(pod: Object, serving: Iterable[Object], now: float) -> bool:
    """Whether it ended by its own fault lately and runs again; what a node ends is not counted.

    What ended is long ago where the pod has been ready ever since.
    """
    for container in serving:
        last = (container.get("lastState") or {}).get("terminated") or {}
        ended = seconds(str(last.get("finishedAt") or "")) or (
            is_true(pod, "Ready") and _since(pod)
        )
        if ended and now - ended > RECENT:
            continue
        if last.get("reason") in ("OOMKilled", "Error") and last.get("exitCode") != 255:
            return True
    return False


def why_blocked(pod: Object) -> tuple[str, str] | None:
    """What the platform lacks for this pod, as a word and a sentence: not the model's fault."""
    for container in containers(pod):
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in _PULL:
            return "ImagePull", f"image cannot be pulled: {str(waiting.get('message', ''))[:160]}"
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("reason") == "Unschedulable":
        return "Unschedulable", f"no node: {str(scheduled.get('message', ''))[:160]}"
    return None


def _quota(deployment: Object) -> tuple[str, str]:
    if not is_true(deployment, "ReplicaFailure"):
        return "", ""
    message = str(condition(deployment, "ReplicaFailure").get("message", ""))[:160]
    return "QuotaExceeded", f"pods are refused: {message}"


def _progress(deployment: Object) -> str:
    progressing = condition(deployment, "Progressing")
    if progressing.get("status") != "False":
        return ""
    return f"never became ready: {str(progressing.get('message', ''))[:160]}"
