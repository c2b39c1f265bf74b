"""The cache: the newest of everything, as little of it as decisions need."""

from __future__ import annotations

from typing import Any

import pytest

from merit.kube.cache import Cache, Key, owner_key
from merit.kube.watch_health import WatchHealth
from tests.kube.fakes import Clock

Object = dict[str, Any]


def made(kind: str, name: str, version: int | str, /, **parts: Any) -> Object:
    metadata = {
        "name": name,
        "namespace": "ns",
        "uid": f"uid-{name}",
        "resourceVersion": str(version),
        "managedFields": [{"manager": "x"}],
        **parts.pop("metadata", {}),
    }
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **parts}


LABELLED = {"labels": {"merit.dev/name": "scorer"}}


def test_an_older_event_does_not_overwrite_the_reply_to_our_own_write() -> None:
    cache = Cache()
    assert cache.put("ModelDeployment", made("ModelDeployment", "scorer", 10, spec={"a": 2}))
    assert not cache.put("ModelDeployment", made("ModelDeployment", "scorer", 9, spec={"a": 1}))
    found = cache.get("ModelDeployment", "ns", "scorer")
    assert found is not None and found["spec"] == {"a": 2}


def test_the_same_version_again_is_no_news() -> None:
    cache = Cache()
    cache.put("Pod", made("Pod", "p", 7))
    assert not cache.put("Pod", made("Pod", "p", 7))


def test_versions_are_compared_as_numbers() -> None:
    cache = Cache()
    cache.put("Pod", made("Pod", "p", 9))
    assert cache.put("Pod", made("Pod", "p", 10))


def test_versions_without_an_order_are_taken_as_they_come() -> None:
    cache = Cache()
    cache.put("Pod", made("Pod", "p", "abc"))
    assert cache.put("Pod", made("Pod", "p", "abb"))
    assert not cache.put("Pod", made("Pod", "p", "abb"))


def test_children_are_found_by_their_label_until_they_are_dropped_or_relabelled() -> None:
    cache = Cache()
    cache.put("Pod", made("Pod", "p1", 1, metadata=LABELLED))
    cache.put("Pod", made("Pod", "p2", 2, metadata=LABELLED))
    cache.put("Pod", made("Pod", "other", 3))
    names = [pod["metadata"]["name"] for pod in cache.children("ns", "scorer", "Pod")]
    assert names == ["p1", "p2"]
    cache.drop("Pod", "ns", "p1")
    cache.put("Pod", made("Pod", "p2", 4, metadata={"labels": {"merit.dev/name": "else"}}))
    assert cache.children("ns", "scorer", "Pod") == []
    assert len(cache.children("ns", "else", "Pod")) == 1


def test_a_successor_of_the_same_name_is_not_dropped_for_its_predecessor() -> None:
    cache = Cache()
    cache.put("Pod", made("Pod", "p", 5, metadata={"uid": "new"}))
    assert cache.drop("Pod", "ns", "p", uid="old") is None
    assert cache.get("Pod", "ns", "p") is not None


def test_only_what_decisions_read_is_kept() -> None:
    cache = Cache()
    annotations = {
        "kubectl.kubernetes.io/last-applied-configuration": "…",
        "merit.dev/applied": "x",
    }
    cache.put(
        "Deployment",
        made(
            "Deployment",
            "d",
            1,
            metadata={"annotations": annotations, "generation": 3},
            spec={"replicas": 2, "template": {"spec": {}}},
            status={"readyReplicas": 1},
        ),
    )
    found = cache.get("Deployment", "ns", "d")
    assert found is not None
    assert found["spec"] == {"replicas": 2}
    assert found["status"] == {"readyReplicas": 1}
    assert found["metadata"]["annotations"] == {"merit.dev/applied": "x"}
    assert "managedFields" not in found["metadata"]


@pytest.mark.parametrize(
    ("entries", "ours", "foreign"),
    [
        ([], False, False),
        ([("merit", "Apply")], True, False),
        ([("kustomize-controller", "Apply")], False, True),
        ([("merit", "Apply"), ("kustomize-controller", "Apply")], True, True),
        ([("kubectl-edit", "Update")], False, False),
    ],
    ids=["nobody", "we apply it", "another applies it", "both", "an update owns nothing"],
)
def test_who_applies_the_pin_is_kept(
    entries: list[tuple[str, str]], ours: bool, foreign: bool
) -> None:
    cache = Cache()
    managed = [
        {"manager": manager, "operation": verb, "fieldsV1": {"f:spec": {"f:rollback": {}}}}
        for manager, verb in entries
    ]
    cache.put(
        "ModelDeployment",
        made("ModelDeployment", "scorer", 1, metadata={"managedFields": managed}),
    )
    found = cache.get("ModelDeployment", "ns", "scorer")
    assert found is not None
    assert (found["pinOurs"], found["pinForeign"]) == (ours, foreign)


def test_the_owner_is_the_controller_or_who_the_label_names() -> None:
    owner = [{"kind": "ModelDeployment", "name": "scorer", "controller": True}]
    replica_set = [{"kind": "ReplicaSet", "name": "rs", "controller": True}]
    owned = made("Deployment", "d", 1, metadata={"ownerReferences": owner})
    pod = made("Pod", "p", 1, metadata={"ownerReferences": replica_set, **LABELLED})
    assert owner_key("Deployment", owned) == Key("ns", "scorer")
    assert owner_key("Pod", pod) == Key("ns", "scorer")
    assert owner_key("Pod", made("Pod", "p", 1)) is None
    assert owner_key("ModelDeployment", made("ModelDeployment", "m", 1)) == Key("ns", "m")


def test_news_wakes_the_owner_and_what_is_known_wakes_nobody() -> None:
    woken: list[Key] = []
    watch_health = WatchHealth(Cache(), woken.append, clock=Clock())
    pod = made("Pod", "p", 1, metadata=LABELLED)
    watch_health.seen("Pod", pod)
    watch_health.seen("Pod", pod)
    assert woken == [Key("ns", "scorer")]


def test_a_deletion_wakes_the_owner_even_if_the_last_version_lost_its_label() -> None:
    woken: list[Key] = []
    cache = Cache()
    watch_health = WatchHealth(cache, woken.append, clock=Clock())
    watch_health.seen("Pod", made("Pod", "p", 1, metadata=LABELLED))
    watch_health.seen("Pod", made("Pod", "p", 2), gone=True)
    assert woken == [Key("ns", "scorer")] * 2
    assert cache.get("Pod", "ns", "p") is None


def test_a_relabelled_child_wakes_both_owners() -> None:
    woken: list[Key] = []
    watch_health = WatchHealth(Cache(), woken.append, clock=Clock())
    watch_health.seen("Pod", made("Pod", "p", 1, metadata=LABELLED))
    watch_health.seen("Pod", made("Pod", "p", 2, metadata={"labels": {"merit.dev/name": "else"}}))
    assert set(woken) == {Key("ns", "scorer"), Key("ns", "else")}


def test_a_deleted_resource_is_no_key_any_more() -> None:
    cache = Cache()
    cache.put("ModelDeployment", made("ModelDeployment", "scorer", 1))
    assert cache.keys() == {Key("ns", "scorer")}
    cache.drop("ModelDeployment", "ns", "scorer")
    assert cache.keys() == set()
