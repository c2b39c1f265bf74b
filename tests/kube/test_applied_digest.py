"""What counts as an edit of a child, and what is known from lists alone."""

from __future__ import annotations

from typing import Any

from merit.kube.cache import Cache, Key, applied_digest, field_managers, project
from merit.kube.relist import Relist
from merit.kube.watch_health import WatchHealth
from merit.kube.watches import LISTED, Watches
from tests.kube.fakes import Clock, FakeCluster


def deployment(**spec: Any) -> dict[str, Any]:
    labels = {"merit.dev/name": "scorer", "merit.dev/revision": "0badc0de"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a", "namespace": "ns", "labels": labels, "resourceVersion": "1"},
        "spec": {"replicas": 2, "template": {"spec": {}}, **spec},
    }


def test_replicas_and_the_labels_of_others_are_no_edit() -> None:
    one, other = deployment(), deployment(replicas=7)
    other["metadata"]["labels"]["team"] = "a"
    other["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "3"}
    assert applied_digest(one) == applied_digest(other)


def test_the_spec_and_our_own_labels_are() -> None:
    one, label = deployment(), deployment()
    assert applied_digest(one) != applied_digest(deployment(paused=True))
    label["metadata"]["labels"]["merit.dev/revision"] = "11111111"
    assert applied_digest(one) != applied_digest(label)


def test_a_projection_keeps_the_digest_and_not_the_template() -> None:
    kept = project("Deployment", deployment())
    assert kept["appliedDigest"] == applied_digest(deployment())
    assert "template" not in kept["spec"]


def test_field_managers_leaves_out_scalers_and_writers_of_status() -> None:
    def entry(manager: str, fields: dict[str, Any], **more: str) -> dict[str, Any]:
        return {"manager": manager, "operation": "Update", "fieldsV1": fields, **more}

    obj = deployment()
    obj["metadata"]["managedFields"] = [
        entry("merit", {"f:spec": {"f:template": {}}}),
        entry("hpa", {"f:spec": {"f:replicas": {}}}, subresource="scale"),
        entry("keda", {"f:spec": {"f:replicas": {}}}),
        entry("controller", {"f:metadata": {}}),
    ]
    assert field_managers(obj) == ""
    obj["metadata"]["managedFields"].append(entry("kubectl-edit", {"f:spec": {"f:paused": {}}}))
    assert field_managers(obj) == "kubectl-edit"


async def test_kinds_that_are_not_watched_are_known_from_lists_and_wake_their_owner() -> None:
    kind = next(kind for kind in LISTED if kind.kind == "HorizontalPodAutoscaler")
    cluster, cache, clock = FakeCluster(), Cache(), Clock()
    woken: list[Key] = []
    relist = Relist(
        cluster, cache, WatchHealth(cache, woken.append, clock=clock), [kind], clock=clock
    )
    meta = {"name": "a", "namespace": "ns", "labels": {"merit.dev/name": "scorer"}}
    spec = {"minReplicas": 2, "maxReplicas": 8}
    await cluster.create(
        {"apiVersion": "autoscaling/v2", "kind": kind.kind, "metadata": meta, "spec": spec}
    )
    assert await relist.once(kind)
    kept = cache.get(kind.kind, "ns", "a")
    assert kept is not None
    assert kept["spec"] == spec
    assert woken == [Key("ns", "scorer")]
    cluster.objects.clear()
    assert await relist.once(kind)
    assert cache.get(kind.kind, "ns", "a") is None
    assert Watches([kind], lambda *_: None)._kinds == ()


def test_an_object_that_waits_for_a_route_is_woken_when_it_changes_or_is_deleted() -> None:
    cache, woken = Cache(), []
    calls: list[tuple[Key, bool]] = []

    def affected(key: Key, obj: dict[str, Any] | None) -> set[Key]:
        calls.append((key, obj is None))
        return {Key("ns", "rival")}

    watch_health = WatchHealth(cache, woken.append, affected=affected)
    meta = {"name": "scorer", "namespace": "ns", "uid": "u", "resourceVersion": "1"}
    obj = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": meta}
    watch_health.seen("HTTPRoute", obj)
    assert Key("ns", "rival") in woken
    woken.clear()
    watch_health.seen("HTTPRoute", obj, gone=True)
    assert Key("ns", "rival") in woken
    assert calls == [(Key("ns", "scorer"), False), (Key("ns", "scorer"), True)]
