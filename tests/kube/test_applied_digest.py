"""What counts as an edit of a child, and what is known from lists alone."""

from __future__ import annotations

from typing import Any

from merit.kube.applied_digest import applied_digest
from merit.kube.cache import Cache, Key, project
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


def owned(obj: dict[str, Any], **trees: dict[str, Any]) -> dict[str, Any]:
    """The object with these fields of its spec owned by these managers."""
    obj["metadata"]["managedFields"] = [
        {"manager": manager, "operation": "Update", "fieldsV1": {"f:spec": tree}}
        for manager, tree in trees.items()
    ]
    return obj


def container(**fields: Any) -> dict[str, Any]:
    return {"name": "server", "image": "example.com/server:1", "env": [{"name": "A"}], **fields}


SERVER = 'k:{"name":"server"}'
OURS = {
    "f:template": {
        "f:spec": {
            "f:containers": {
                ".": {},
                SERVER: {
                    ".": {}, "f:name": {}, "f:image": {},
                    "f:env": {".": {}, 'k:{"name":"A"}': {".": {}, "f:name": {}}},
                },
            }
        }
    }
}  # fmt: skip


def template(*containers: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"metadata": metadata, "spec": {"containers": list(containers)}}


def test_what_others_add_to_the_template_is_no_edit() -> None:
    plain = owned(deployment(template=template(container())), merit=OURS)
    before = applied_digest(plain)
    restarted = template(container(), annotations={"kubectl.kubernetes.io/restartedAt": "now"})
    reloaded = template(container(env=[{"name": "STAKATER_X", "value": "1"}, {"name": "A"}]))
    injected = template({"name": "istio-proxy", "image": "istio:1"}, container())
    limited = template(container(resources={"limits": {"cpu": "2"}}))
    for changed in (restarted, reloaded, injected, limited):
        other = owned(deployment(template=changed), merit=OURS, other={"f:template": {}})
        assert applied_digest(other) == before


def test_a_field_of_ours_that_is_changed_or_taken_over_is_an_edit() -> None:
    before = applied_digest(owned(deployment(template=template(container())), merit=OURS))
    changed = template(container(image="example.com/other:9"))
    assert applied_digest(owned(deployment(template=changed), merit=OURS)) != before
    taken = {"f:template": {"f:spec": {"f:containers": {SERVER: {"f:name": {}}}}}}
    other = owned(deployment(template=template(container())), merit=taken, other=OURS)
    assert applied_digest(other) != before


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
