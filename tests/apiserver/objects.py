"""Small objects for tests of the client and the watches."""

from __future__ import annotations

from typing import Any

from tests.api.manifests import good

Object = dict[str, Any]


def scorer(name: str, namespace: str) -> Object:
    """A ModelDeployment."""
    return {**good(), "metadata": {"name": name, "namespace": namespace}}


def config_map(namespace: str, name: str = "thing", **data: str) -> Object:
    """A ConfigMap with that data."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def deployment(namespace: str) -> Object:
    """A Deployment that belongs to the ModelDeployment `scorer`."""
    labels = {"merit.dev/name": "scorer"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "server", "namespace": namespace, "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "model", "image": "model:1"}]},
            },
        },
    }
