"""Facts from projections: whose a child is decides whether it is waited for or left alone."""

from typing import Any

import pytest

from merit.policy.state.observed import RevisionPods
from merit.policy.state.times import stamp
from merit.reconciler.pod_facts import of_predecessor, owned_by, pod_facts


def child(**owner: Any) -> dict[str, Any]:
    return {"metadata": {"name": "m-1", "ownerReferences": [owner]}}


def test_a_child_of_the_deleted_object_of_the_same_name_is_waited_for() -> None:
    old = child(kind="ModelDeployment", name="m", uid="old")
    assert of_predecessor(old, "m", "new")
    assert not owned_by(old, "new")


def test_a_child_of_another_object_or_kind_is_somebody_elses() -> None:
    assert not of_predecessor(child(kind="ModelDeployment", name="n", uid="x"), "m", "new")
    assert not of_predecessor(child(kind="Deployment", name="m", uid="x"), "m", "new")
    assert not of_predecessor({"metadata": {"name": "m-1"}}, "m", "new")


def test_our_own_child_is_not_a_predecessors() -> None:
    assert not of_predecessor(child(kind="ModelDeployment", name="m", uid="new"), "m", "new")


NOW = 1_800_000_000.0
LATE = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
KILLED = {"restartCount": 1, "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}


def pod(short: str, node: str, age: float, *, ready: bool = False, **more: Any) -> dict[str, Any]:
    labels, word = {"merit.dev/revision": short}, "True" if ready else "False"
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": word}]} | more
    meta = {"name": f"m-{short}-{node}", "labels": labels, "creationTimestamp": stamp(NOW - age)}
    return {"metadata": meta, "spec": {"nodeName": node}, "status": status}


def facts(*pods: dict[str, Any]) -> RevisionPods:
    deployment = {"spec": {"replicas": 2}, "status": {"conditions": [LATE]}}
    return pod_facts("bbbb", deployment, pods, in_sync=True, now=NOW)


def test_what_a_node_has_ended_is_a_record_and_no_pod() -> None:
    containers = [{"name": "server", "ready": False} | KILLED]
    gone = pod("bbbb", "n1", 900, phase="Failed", reason="Evicted", containerStatuses=containers)
    found = facts(gone, pod("bbbb", "n2", 60, ready=True))
    assert (found.ready, found.down, found.crashed, found.restarts) == (1, 0, 0, 0)


@pytest.mark.parametrize(
    ("pods", "exceeded"),
    [
        ((pod("bbbb", "n1", 310),), False),  # the node may be lost
        ((pod("bbbb", "n1", 310), pod("aaaa", "n1", 900, ready=True)), True),  # it is not
        ((pod("bbbb", "n1", 310), pod("aaaa", "n2", 900, ready=True)), False),
        ((pod("bbbb", "n1", 670),), True),  # or its pods would have been made again
        ((pod("bbbb", "n2", 200), pod("aaaa", "n2", 900, ready=True)), False),  # made again
        ((pod("bbbb", "n1", 900, ready=True),), False),
    ],
)
def test_only_a_pod_that_had_its_time_on_a_living_node_is_late(
    pods: tuple[dict[str, Any], ...], exceeded: bool
) -> None:
    assert facts(*pods).deadline_exceeded is exceeded
