"""The manifests that users apply in the world, and the configuration of its operator."""

from __future__ import annotations

import copy
from typing import Any

from merit.config import Config
from tests.api.manifests import good
from tests.world.load_tests import LOAD, WITH_LOAD_TEST


def _object() -> dict[str, Any]:
    obj = good()
    obj["metadata"]["namespace"] = "risk"
    spec = obj["spec"]
    del spec["constraints"]["cost"]
    spec["constraints"]["scale"] = {"rps": 200, "replicas": {"min": 2, "max": 2}}
    spec["model"] |= {"version": "", "uri": ""}
    spec["rollout"] |= {
        "steps": [10, 50],
        "minDuration": "60s",
        "maxDuration": "30m",
        "holdback": {"weight": 10, "duration": "30s"},
    }
    spec["rollbackPolicy"]["keepWarm"] = "60s"
    return obj


NAME = "fraud-scorer"
OBJECT = _object()


def manifest(version: str) -> dict[str, Any]:
    """The manifest of that version of the model, as Git has it."""
    obj = copy.deepcopy(OBJECT)
    obj["spec"]["model"] |= {"version": version, "uri": f"oci://example.com/fraud:{version}"}
    if version in WITH_LOAD_TEST:
        obj["spec"]["feasibility"] = {"load": copy.deepcopy(LOAD)}
    return obj


def autoscaled(version: str, least: int = 2, most: int = 8) -> dict[str, Any]:
    """A version that an autoscaler may scale between these numbers of pods."""
    obj = manifest(version)
    obj["spec"]["constraints"]["scale"]["replicas"] = {"min": least, "max": most}
    container = obj["spec"]["serving"]["template"]["spec"]["containers"][0]
    container["resources"] = {"requests": {"cpu": "200m", "memory": "256Mi"}}
    return obj


def by_pod_count(version: str, least: int = 4, most: int = 8, **rollout: Any) -> dict[str, Any]:
    """A version whose share of the traffic is its share of the pods: no gateway."""
    obj = manifest(version)
    obj["spec"]["constraints"]["scale"]["replicas"] = {"min": least, "max": most}
    obj["spec"]["rollout"] |= {"route": {"replicas": {}}, "steps": [25, 50]} | rollout
    return obj


SETTINGS: dict[str, Any] = {
    "metrics": {
        "default": "world",
        "sources": {
            "world": {
                "prometheus": {"url": "http://127.0.0.1:9090"},
                "preset": "contour-envoy",
                "server": "prometheus-client",
                "queries": {"namespaces": ["risk"]},
            }
        },
    },
    "images": {"tools": "example.com/tools:1"},
    "judgement": {"scrape": "15s"},
    "tick": {"fast": "15s", "live": "15s"},
}


def config() -> Config:
    """The operator's configuration: one metrics source, scraped every 15 s."""
    return Config.model_validate(SETTINGS)
