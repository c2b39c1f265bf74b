"""Watches and lists against a real API server: they fill the cache and wake owners."""

from __future__ import annotations

import pytest

from merit.kube.cache import Cache, Key
from merit.kube.client import Cluster
from merit.kube.relist import Relist
from merit.kube.watch_health import WatchHealth
from merit.kube.watches import Watches, watched
from tests.apiserver.objects import deployment, scorer
from tests.apiserver.processes import eventually

pytestmark = pytest.mark.apiserver
KINDS = watched(gateway_api=False)


async def test_watches_fill_the_cache_and_wake_the_owner(cluster: Cluster, namespace: str) -> None:
    cache, woken = Cache(), list[Key]()
    watches = Watches(KINDS, WatchHealth(cache, woken.append).seen, namespaces=[namespace])
    watches.start()
    made = await cluster.create(scorer("scorer", namespace))
    key = Key(namespace, "scorer")
    await eventually(lambda: cache.get("ModelDeployment", *key) is not None)
    made_deployment = await cluster.create(deployment(namespace))
    unlabelled = deployment(namespace)
    unlabelled["metadata"] = {"name": "else", "namespace": namespace}
    await cluster.create(unlabelled)
    await eventually(lambda: bool(cache.children(*key, "Deployment")))
    woken.clear()
    await cluster.delete(made_deployment, uid=made_deployment["metadata"]["uid"])
    await eventually(lambda: not cache.children(*key, "Deployment"))
    assert key in woken
    assert cache.get("Deployment", namespace, "else") is None
    found = await cluster.get("merit.dev/v1alpha1", "ModelDeployment", *key)
    assert found is not None
    assert found["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    await watches.stop(60)


async def test_endpoint_slices_carry_the_label_of_their_service(
    cluster: Cluster, namespace: str
) -> None:
    # Only kube-controller-manager's endpointslice controller copies labels; it does not run here,
    # so this asks the selector of the watch, with a slice as that controller makes it.
    labels = {"merit.dev/name": "scorer", "kubernetes.io/service-name": "scorer-1b2ac0de"}
    metadata = {"name": "s", "namespace": namespace, "labels": labels}
    await cluster.create(
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": metadata,
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": True}}],
            "ports": [],
        }
    )
    cache = Cache()
    watch_health = WatchHealth(cache, lambda key: None)
    await Relist(cluster, cache, watch_health, KINDS, namespaces=[namespace]).fill()
    (found,) = cache.children(namespace, "scorer", "EndpointSlice")
    assert found["endpoints"] == [{"conditions": {"ready": True}}]
