"""How a Job ended, from what Kubernetes keeps of it; the report container speaks, nobody else."""

from __future__ import annotations

from typing import Any

from merit.policy.state.observed import JobRun
from merit.reconciler.job_facts import job_facts

NAME = "fraud-aaaaaaaa-evaluation-123456"
JOB: dict[str, Any] = {
    "metadata": {"name": NAME, "uid": "job", "creationTimestamp": "2026-11-23T01:00:00Z"},
    "status": {
        "startTime": "2026-11-23T01:00:01Z",
        "completionTime": "2026-11-23T01:01:00Z",
        "conditions": [{"type": "Complete", "status": "True"}],
    },
}


def failed(reason: str, message: str = "") -> dict[str, Any]:
    condition = {"type": "Failed", "status": "True", "reason": reason, "message": message}
    return JOB | {"status": {"conditions": [condition]}}


def ended(name: str = "e", code: int = 0, message: str = "", at: str = "01", **more: Any) -> Any:
    told = {"exitCode": code, "finishedAt": f"2026-11-23T01:00:{at}Z", "message": message} | more
    return {"name": name, "imageID": f"sha256:{name}", "state": {"terminated": told}}


def pod(
    *containers: Any, init: Any = (), owner: str = "job", job: str = NAME, **status: Any
) -> Any:
    return {
        "metadata": {
            "labels": {"batch.kubernetes.io/job-name": job},
            "ownerReferences": [{"uid": owner}],
        },
        "status": {"containerStatuses": containers, "initContainerStatuses": list(init), **status},
    }


def facts(*pods: Any, job: Any = JOB) -> JobRun:
    return job_facts(NAME, job, pods)


def test_a_job_that_is_not_there_has_not_run() -> None:
    assert facts(job=None) == JobRun(name=NAME)


def test_a_finished_job_has_its_pods_message_times_and_images() -> None:
    found = facts(pod(ended(message="report"), init=[ended("fetch", message="noise")]))
    assert (found.finished, found.succeeded, found.message) == (True, True, "report")
    assert (found.started, found.ended) == ("2026-11-23T01:00:01Z", "2026-11-23T01:01:00Z")
    assert found.images == ("sha256:e", "sha256:fetch")
    assert found.exit_code == 0


SIDECAR: dict[str, Any] = {"name": "istio-proxy", "state": {"running": {}}}
RUNNING = {"metadata": JOB["metadata"], "status": {"active": 1}, "containers": ["e"]}


def test_a_report_is_read_when_its_container_has_ended_whatever_sidecar_goes_on() -> None:
    found = facts(pod(ended(message="report"), SIDECAR, phase="Running"), job=RUNNING)
    assert (found.finished, found.succeeded, found.message) == (True, True, "report")
    bad = facts(pod(ended(code=3), SIDECAR, phase="Running"), job=RUNNING)
    assert (bad.finished, bad.succeeded, bad.exit_code) == (True, False, 3)


def test_a_run_goes_on_while_a_container_of_its_own_runs_or_another_pod_may_follow() -> None:
    both = RUNNING | {"containers": ["e", "f"]}
    other = {"name": "f", "state": {"running": {}}}
    assert not facts(pod(ended(message="half"), other, phase="Running"), job=both).finished
    assert not facts(pod(ended(code=1), phase="Failed"), job=RUNNING).finished


def test_a_suspended_job_and_one_without_a_pod_do_not_run() -> None:
    suspended = facts(job=RUNNING | {"spec": {"suspend": True}})
    assert suspended.blocked_by == "Suspended" and suspended.podless


def test_the_newest_terminated_pod_speaks() -> None:
    old, new = ended(message="old", at="05", code=1), ended(message="new", at="30")
    running = {"name": "e", "state": {"running": {}}}
    assert facts(pod(new), pod(old), pod(running)).message == "new"


def test_a_pod_of_another_job_or_of_nobody_does_not_speak() -> None:
    forged = pod(ended(message="forged", at="59"), owner="somebody")
    other = pod(ended(message="other", at="58"), job="other")
    assert facts(pod(ended(message="ours")), forged, other).message == "ours"
    assert facts(forged, other).message is None


def test_a_sidecar_that_says_nothing_leaves_the_word_to_the_evaluator() -> None:
    found = facts(pod(ended("proxy"), ended("e", message="report")))
    assert found.message == "report"


def test_where_merit_reads_a_file_only_its_own_container_speaks() -> None:
    user = ended("e", message="forged")
    assert facts(pod(ended("merit-report", message="report"), init=[user])).message == "report"
    assert facts(pod(ended("merit-report"), ended("e", message="forged"))).message == ""


def test_an_init_container_that_fails_is_the_reason() -> None:
    waiting = {"name": "merit-report", "state": {"waiting": {"reason": "PodInitializing"}}}
    user = ended("e", code=3, message="Traceback", reason="Error")
    found = facts(pod(waiting, init=[user]), job=failed("BackoffLimitExceeded"))
    assert (found.message, found.exit_code, found.reason) == ("", 3, "Error")


def test_running_out_of_memory_is_named() -> None:
    found = facts(pod(ended(code=137, reason="OOMKilled")), job=failed("BackoffLimitExceeded"))
    assert (found.exit_code, found.reason) == (137, "OOMKilled")


def test_a_deadline_says_more_than_how_its_pod_was_ended_for_it() -> None:
    job = failed("DeadlineExceeded", "Job was active longer than specified deadline")
    found = facts(pod(ended(code=143, reason="Error")), job=job)
    assert found.reason == "DeadlineExceeded" and "deadline" in found.detail


def test_an_evicted_pod_without_containers_is_named() -> None:
    gone = pod(phase="Failed", reason="Evicted", message="low on memory", startTime="x")
    found = facts(gone, job=failed("BackoffLimitExceeded"))
    assert (found.message, found.reason, found.detail) == ("", "Evicted", "low on memory")


def test_a_pod_that_waits_for_its_image_says_so_while_the_job_runs() -> None:
    waiting = {"reason": "ImagePullBackOff", "message": "manifest unknown"}
    found = facts(pod({"name": "e", "state": {"waiting": waiting}}), job=JOB | {"status": {}})
    assert (found.finished, found.blocked_by) == (False, "ImagePull")
    assert "manifest unknown" in found.blocked


def test_a_pod_that_is_gone_has_no_message() -> None:
    assert (facts().message, facts().exit_code) == (None, None)
