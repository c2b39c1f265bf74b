"""What the cache says about a Job: whether and how it ended, and its termination message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from merit.api.names import REPORT_CONTAINER
from merit.policy.state.observed import JobRun
from merit.reconciler.pod_facts import condition, containers, is_true, owned_by, why_blocked

Object = Mapping[str, Any]
_JOB_LABEL = "batch.kubernetes.io/job-name"


def job_facts(name: str, job: Object | None, pods: Iterable[Object]) -> JobRun:
    """The Job, with the message of its newest terminated pod."""
    if job is None:
        return JobRun(name=name)
    status = job.get("status") or {}
    failed = condition(job, "Failed") if is_true(job, "Failed") else {}
    uid = str(job["metadata"].get("uid", ""))
    ours = [
        pod
        for pod in pods
        if (pod["metadata"].get("labels") or {}).get(_JOB_LABEL) == name and owned_by(pod, uid)
    ]
    pod = _newest_terminated(ours)
    ending = _ending(pod) if pod is not None else {}
    spoke = pod is not None and _has_spoken(pod, job.get("containers") or ())
    reason = str(failed.get("reason", ""))
    blocked_by, blocked = next((why for p in ours if (why := why_blocked(p))), ("", ""))
    if (job.get("spec") or {}).get("suspend"):
        blocked_by, blocked = "Suspended", "the Job is suspended, by a queue or by hand"
    late = reason == "DeadlineExceeded"  # says more than how its pod was ended for it
    return JobRun(
        name=name,
        exists=True,
        podless=not ours,
        finished=has_ended(job) or spoke,
        succeeded=is_true(job, "Complete") or (spoke and not ending.get("exitCode")),
        message=None if pod is None else ending.get("message", ""),
        exit_code=ending.get("exitCode"),
        reason=reason if late else str(ending.get("reason", "")) or reason,
        detail=str(ending.get("detail", "") or failed.get("message", ""))[:256],
        blocked_by=blocked_by,
        blocked=blocked,
        images=tuple(sorted({str(c["imageID"]) for c in containers(pod) if c.get("imageID")})),
        created=str(job["metadata"].get("creationTimestamp", "")),
        started=str(status.get("startTime", "")),
        deadline=float((job.get("spec") or {}).get("activeDeadlineSeconds") or 0),
        ended=str(status.get("completionTime") or failed.get("lastTransitionTime") or ""),
    )


def has_ended(job: Object) -> bool:
    """Whether it is complete or has failed, and all its pods with it."""
    return is_true(job, "Complete") or is_true(job, "Failed")


def _has_spoken(pod: Object, asked_for: Iterable[str]) -> bool:
    """Whether all containers of the Job's own template have ended, and only a sidecar goes on."""
    status = pod.get("status") or {}
    if status.get("phase") != "Running":
        return False  # the Job itself says how it went, and may start another pod
    ended = {c.get("name") for c in status.get("containerStatuses") or () if _terminated(c)}
    return bool(asked_for) and ended.issuperset(asked_for)


def _terminated(container: Object) -> Object:
    return (container.get("state") or {}).get("terminated") or {}


def _newest_terminated(pods: list[Object]) -> Object | None:
    ended = [(at, pod) for pod in pods if (at := _ended_at(pod)) is not None]
    return max(ended, key=lambda pair: pair[0])[1] if ended else None


def _ended_at(pod: Object) -> str | None:
    """When its last container ended; an evicted pod may never have had one."""
    times = [str(t.get("finishedAt", "")) for c in containers(pod) if (t := _terminated(c))]
    status = pod.get("status") or {}
    if not times and status.get("phase") == "Failed":
        times = [str(status.get("startTime") or "")]
    return max(times, default=None)


def _ending(pod: Object) -> dict[str, Any]:
    """The message of the report, and how the container that failed first, or reported, ended."""
    status = pod.get("status") or {}
    regular = status.get("containerStatuses") or ()
    # Where Merit parses a framework's file, only the report of its own container is taken.
    reporting = [c for c in regular if c.get("name") == REPORT_CONTAINER] or regular
    report = next((t for c in reporting if (t := _terminated(c)).get("message")), None)
    ended = [t for c in containers(pod) if (t := _terminated(c))]
    failure = next((t for t in ended if t.get("exitCode")), None)
    chosen = failure or report or (ended[-1] if ended else {})
    return {
        "message": (report or {}).get("message", ""),
        "exitCode": chosen.get("exitCode"),
        "reason": chosen.get("reason") or status.get("reason", ""),
        "detail": status.get("message", "") if status.get("reason") else "",
    }
