"""The operator's client against a real API server."""

from __future__ import annotations

import pytest

from merit.kube.client import Cluster
from merit.kube.errors import Conflict, Invalid, NotFound, Unreachable
from tests.apiserver.objects import config_map, deployment, scorer

pytestmark = pytest.mark.apiserver


async def test_creating_twice_is_a_conflict(cluster: Cluster, namespace: str) -> None:
    made = await cluster.create(config_map(namespace, a="1"))
    assert made["metadata"]["uid"]
    with pytest.raises(Conflict) as caught:
        await cluster.create(config_map(namespace, a="2"))
    assert caught.value.reason == "AlreadyExists"


async def test_a_dry_run_finds_a_misspelled_field_and_makes_nothing(
    cluster: Cluster, namespace: str
) -> None:
    wrong = deployment(namespace)
    wrong["spec"]["template"]["spec"]["continers"] = []
    with pytest.raises(Invalid, match="continers"):
        await cluster.create(wrong, dry_run=True)
    await cluster.create(deployment(namespace), dry_run=True)
    assert await cluster.get("apps/v1", "Deployment", namespace, "server") is None


async def test_an_apply_with_a_stale_version_or_another_uid_is_refused(
    cluster: Cluster, namespace: str
) -> None:
    first = await cluster.create(config_map(namespace, a="1"))
    fence = {name: first["metadata"][name] for name in ("name", "namespace", "uid")}
    fresh = {**fence, "resourceVersion": first["metadata"]["resourceVersion"]}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": fresh, "data": {"a": "2"}}
    assert (await cluster.apply(body))["data"] == {"a": "2"}
    with pytest.raises(Conflict):
        await cluster.apply({**body, "data": {"a": "3"}})
    other = {**fence, "uid": "00000000-0000-0000-0000-000000000000"}
    with pytest.raises(Invalid, match="uid"):
        await cluster.apply({**body, "metadata": other})


async def test_an_apply_with_a_uid_never_resurrects(cluster: Cluster, namespace: str) -> None:
    first = await cluster.create(config_map(namespace))
    await cluster.delete(first, uid=first["metadata"]["uid"])
    fence = {name: first["metadata"][name] for name in ("name", "namespace", "uid")}
    with pytest.raises((Conflict, NotFound)):
        await cluster.apply({**config_map(namespace), "metadata": fence})
    assert await cluster.get("v1", "ConfigMap", namespace, "thing") is None


async def test_status_is_written_whole_and_only_onto_the_newest_version(
    cluster: Cluster, namespace: str
) -> None:
    first = await cluster.create(scorer("scorer", namespace))
    status = {"phase": "Canary 5%", "summary": "so far", "observedGeneration": 1}
    second = await cluster.patch_status(first, status)
    assert {k: second["status"][k] for k in status} == status
    third = await cluster.patch_status(second, {"phase": "Live", "observedGeneration": 1})
    assert third["status"]["phase"] == "Live"
    assert "summary" not in third["status"]
    with pytest.raises(Conflict):
        await cluster.patch_status(second, {"phase": "Stale", "observedGeneration": 1})


async def test_scaling_changes_the_replicas_and_nothing_else(
    cluster: Cluster, namespace: str
) -> None:
    made = await cluster.create(deployment(namespace))
    await cluster.scale(made, 3)
    found = await cluster.get("apps/v1", "Deployment", namespace, "server")
    assert found is not None
    assert found["spec"]["replicas"] == 3
    assert found["spec"]["template"] == made["spec"]["template"]


async def test_deleting_the_successor_of_that_name_is_refused_and_a_missing_one_is_fine(
    cluster: Cluster, namespace: str
) -> None:
    made = await cluster.create(config_map(namespace))
    with pytest.raises(Conflict):
        await cluster.delete(made, uid="00000000-0000-0000-0000-000000000000")
    await cluster.delete(made, uid=made["metadata"]["uid"])
    await cluster.delete(made, uid=made["metadata"]["uid"])


async def test_a_list_of_nothing_is_empty_though_the_server_says_null(
    cluster: Cluster, namespace: str
) -> None:
    found = await cluster.list("v1", "ConfigMap", namespace=namespace, labels="merit.dev/name=none")
    assert found == []


async def test_a_list_is_read_page_by_page(
    cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("merit.kube.client.PAGE", 2)
    for n in range(5):
        await cluster.create(config_map(namespace, f"thing-{n}"))
    found = await cluster.list("v1", "ConfigMap", namespace=namespace)
    names = {
        obj["metadata"]["name"] for obj in found if obj["metadata"]["name"] != "kube-root-ca.crt"
    }
    assert names == {f"thing-{n}" for n in range(5)}
    assert found[0]["kind"] == "ConfigMap"
    bare = await cluster.list("v1", "ConfigMap", namespace=namespace, metadata_only=True)
    assert len(bare) == len(found)
    assert "data" not in bare[0]


async def test_an_answer_that_takes_too_long_is_an_error_of_ours(cluster: Cluster) -> None:
    with pytest.raises(Unreachable):
        await cluster.get("v1", "Namespace", None, "default", timeout=0.000001)


async def test_which_apis_are_served_is_known(cluster: Cluster) -> None:
    assert await cluster.serves("merit.dev/v1alpha1", "ModelDeployment")
    assert await cluster.serves("v1", "Pod")
    assert not await cluster.serves("nobody.example.com/v1", "Nothing")
    assert not await cluster.serves("v1", "Nothing")
