"""What counts as an edit of a child, and what is known from lists alone."""

from __future__ import annotations

from typing import Any

from merit.cluster.cache import Cache, Key, project, setters, shape
from merit.cluster.intake import Intake
from merit.cluster.sweep import Sweep
from merit.cluster.watches import LISTED, Watches
from tests.cluster.fakes import Clock, FakeCluster


def deployment(**spec: Any) -> dict[str, Any]:
    labels = {"merit.dev/name": "scorer", "merit.dev/revision": "0badc0de"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a", "namespace": "ns", "labels": labels, "resourceVersion": "1"},
        "spec": {"replicas": 2, "template": {"spec": {}}, **spec},
    }


def test_replicas_and_the_marks_of_others_are_no_edit() -> None:
    one, other = deployment(), deployment(replicas=7)
    other["metadata"]["labels"]["team"] = "a"
    other["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "3"}
    assert shape(one) == shape(other)


def test_the_spec_and_our_own_marks_are() -> None:
    one, label = deployment(), deployment()
    assert shape(one) != shape(deployment(paused=True))
    label["metadata"]["labels"]["merit.dev/revision"] = "11111111"
    assert shape(one) != shape(label)


def test_a_projection_keeps_the_shape_and_not_the_template() -> None:
    kept = project("Deployment", deployment())
    assert kept["shape"] == shape(deployment())
    assert "template" not in kept["spec"]


def test_who_set_parts_is_told_but_not_scalers_and_status() -> None:
    def entry(manager: str, fields: dict[str, Any], **more: str) -> dict[str, Any]:
        return {"manager": manager, "operation": "Update", "fieldsV1": fields, **more}

    obj = deployment()
    obj["metadata"]["managedFields"] = [
        entry("merit", {"f:spec": {"f:template": {}}}),
        entry("hpa", {"f:spec": {"f:replicas": {}}}, subresource="scale"),
        entry("keda", {"f:spec": {"f:replicas": {}}}),
        entry("controller", {"f:metadata": {}}),
    ]
    assert setters(obj) == ""
    obj["metadata"]["managedFields"].append(entry("kubectl-edit", {"f:spec": {"f:paused": {}}}))
    assert setters(obj) == "kubectl-edit"


async def test_kinds_that_are_not_watched_are_known_from_lists_and_wake_their_owner() -> None:
    kind = next(kind for kind in LISTED if kind.kind == "HorizontalPodAutoscaler")
    cluster, cache, clock = FakeCluster(), Cache(), Clock()
    woken: list[Key] = []
    sweep = Sweep(cluster, cache, Intake(cache, woken.append, clock=clock), [kind], clock=clock)
    meta = {"name": "a", "namespace": "ns", "labels": {"merit.dev/name": "scorer"}}
    spec = {"minReplicas": 2, "maxReplicas": 8}
    await cluster.create(
        {"apiVersion": "autoscaling/v2", "kind": kind.kind, "metadata": meta, "spec": spec}
    )
    assert await sweep.once(kind)
    kept = cache.get(kind.kind, "ns", "a")
    assert kept is not None
    assert kept["spec"] == spec
    assert woken == [Key("ns", "scorer")]
    cluster.objects.clear()
    assert await sweep.once(kind)
    assert cache.get(kind.kind, "ns", "a") is None
    assert Watches([kind], lambda *_: None)._kinds == ()


def test_who_claims_the_same_is_woken_with_the_one_that_changes_or_goes() -> None:
    cache, woken = Cache(), []
    told: list[tuple[Key, bool]] = []

    def concerned(key: Key, obj: dict[str, Any] | None) -> set[Key]:
        told.append((key, obj is None))
        return {Key("ns", "rival")}

    intake = Intake(cache, woken.append, concerned=concerned)
    meta = {"name": "scorer", "namespace": "ns", "uid": "u", "resourceVersion": "1"}
    obj = {"apiVersion": "merit.dev/v1alpha1", "kind": "ModelDeployment", "metadata": meta}
    intake.seen("ModelDeployment", obj)
    assert Key("ns", "rival") in woken
    woken.clear()
    intake.seen("ModelDeployment", obj, gone=True)
    assert Key("ns", "rival") in woken
    assert told == [(Key("ns", "scorer"), False), (Key("ns", "scorer"), True)]
