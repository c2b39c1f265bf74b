"""What users apply in the world, and how its operator is configured."""

from __future__ import annotations

import copy
from typing import Any

from merit.config import Config
from tests.api.manifests import good
from tests.world.load import LOAD, LOADED


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


OBJECT = _object()


def manifest(version: str) -> dict[str, Any]:
    """The manifest as Git has it for that version of the model."""
    obj = copy.deepcopy(OBJECT)
    obj["spec"]["model"] |= {"version": version, "uri": f"oci://example.com/fraud:{version}"}
    if version in LOADED:
        obj["spec"]["feasibility"] = {"load": copy.deepcopy(LOAD)}
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
    """The operator's configuration: one source, scraped every fifteen seconds."""
    return Config.model_validate(SETTINGS)
