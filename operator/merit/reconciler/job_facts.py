"""A gate's Job as the cache has it: whether it ended, how, and what it left for the kubelet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from merit.api.names import REPORT_CONTAINER
from merit.policy.observed import JobRun
from merit.reconciler.facts import owned_by, why_blocked

Object = Mapping[str, Any]
_JOB_LABEL = "batch.kubernetes.io/job-name"


def job_facts(name: str, job: Object | None, pods: Iterable[Object]) -> JobRun:
    """The Job, with the message of its newest terminated pod."""
    if job is None:
        return JobRun(name=name)
    status = job.get("status") or {}
    ended = {c.get("type"): c for c in status.get("conditions") or () if c.get("status") == "True"}
    failed = ended.get("Failed") or {}
    uid = str(job["metadata"].get("uid", ""))
    mine = [p for p in pods if _label(p) == name and owned_by(p, uid)]
    pod = _newest_terminated(mine)
    told = _told(pod) if pod is not None else {}
    why = str(failed.get("reason", ""))
    blocked_by, blocked = next((b for p in mine if (b := why_blocked(p))), ("", ""))
    late = why == "DeadlineExceeded"  # more telling than how its pod was ended for it
    return JobRun(
        name=name,
        exists=True,
        finished="Complete" in ended or "Failed" in ended,
        succeeded="Complete" in ended,
        message=None if pod is None else told.get("message", ""),
        exit_code=told.get("exitCode"),
        reason=why if late else str(told.get("reason", "")) or why,
        detail=str(told.get("detail", "") or failed.get("message", ""))[:256],
        blocked_by=blocked_by,
        blocked=blocked,
        images=tuple(sorted({str(c["imageID"]) for c in _statuses(pod) if c.get("imageID")})),
        created=str(job["metadata"].get("creationTimestamp", "")),
        started=str(status.get("startTime", "")),
        deadline=float((job.get("spec") or {}).get("activeDeadlineSeconds") or 0),
        ended=str(status.get("completionTime") or failed.get("lastTransitionTime") or ""),
    )


def has_ended(job: Object) -> bool:
    """Whether it is complete or has failed, and all its pods with it."""
    conditions = (job.get("status") or {}).get("conditions") or ()
    return any(
        c.get("type") in ("Complete", "Failed") and c.get("status") == "True" for c in conditions
    )


def _label(pod: Object) -> str:
    return str((pod["metadata"].get("labels") or {}).get(_JOB_LABEL, ""))


def _statuses(pod: Object | None) -> list[Object]:
    """Of all containers, in the order in which they ran."""
    status = (pod or {}).get("status") or {}
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _terminated(container: Object) -> Object:
    return (container.get("state") or {}).get("terminated") or {}


def _newest_terminated(pods: list[Object]) -> Object | None:
    ended = [(at, pod) for pod in pods if (at := _ended_at(pod)) is not None]
    return max(ended, key=lambda pair: pair[0])[1] if ended else None


def _ended_at(pod: Object) -> str | None:
    """When its last container ended; an evicted pod may never have had one."""
    times = [str(t.get("finishedAt", "")) for c in _statuses(pod) if (t := _terminated(c))]
    status = pod.get("status") or {}
    if not times and status.get("phase") == "Failed":
        times = [str(status.get("startTime") or "")]
    return max(times, default=None)


def _told(pod: Object) -> dict[str, Any]:
    """Message, exit code, reason: a report counts, else the container that failed first."""
    status = pod.get("status") or {}
    regular = status.get("containerStatuses") or ()
    # Where Merit parses a framework's file, only its own container speaks.
    speaks = [c for c in regular if c.get("name") == REPORT_CONTAINER] or regular
    reported = next((t for c in speaks if (t := _terminated(c)).get("message")), None)
    ended = [t for c in _statuses(pod) if (t := _terminated(c))]
    wrong = next((t for t in ended if t.get("exitCode")), None)
    chosen = wrong or reported or (ended[-1] if ended else {})
    return {
        "message": (reported or {}).get("message", ""),
        "exitCode": chosen.get("exitCode"),
        "reason": chosen.get("reason") or status.get("reason", ""),
        "detail": status.get("message", "") if status.get("reason") else "",
    }
