"""What users apply in the world, and how its operator is configured."""

from __future__ import annotations

import copy
from typing import Any

from merit.config import Config
from tests.world.load import LOAD, LOADED

OBJECT: dict[str, Any] = {
    "apiVersion": "merit.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {"name": "fraud-scorer", "namespace": "risk"},
    "spec": {
        "goal": {"objective": "Stop card fraud at checkout without slowing it down"},
        "owner": {"team": "risk-ml", "contact": "#risk-ml-oncall"},
        "constraints": {
            "latency": {"p99": "100ms"},
            "errors": {"max": "1%"},
            "scale": {"rps": 200, "replicas": {"min": 2, "max": 2}},
        },
        "failureModes": [
            {"name": "slow-responses", "signal": "latency", "response": "Rollback"},
            {"name": "errors", "signal": "errors", "response": "Rollback"},
        ],
        "model": {"name": "fraud", "version": "", "uri": ""},
        "serving": {
            "port": 8080,
            "template": {
                "spec": {
                    "containers": [
                        {
                            "name": "server",
                            "image": "example.com/server:1",
                            "ports": [{"containerPort": 8080}],
                            "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
                        }
                    ]
                }
            },
        },
        "evaluation": {
            "job": {
                "template": {
                    "spec": {
                        "restartPolicy": "Never",
                        "containers": [{"name": "evaluate", "image": "example.com/evaluate:1"}],
                    }
                }
            },
            "bars": [{"metric": "recall", "min": "0.80"}],
        },
        "rollout": {
            "route": {
                "gateway": {
                    "parentRefs": [{"name": "public", "namespace": "gateways"}],
                    "hostnames": ["fraud.example.com"],
                }
            },
            "steps": [10, 50],
            "minDuration": "60s",
            "maxDuration": "30m",
            "holdback": {"weight": 10, "duration": "30s"},
        },
        "rollbackPolicy": {"automatic": True, "keepWarm": "60s"},
    },
}


def manifest(version: str) -> dict[str, Any]:
    """The manifest as Git has it for that version of the model."""
    obj = copy.deepcopy(OBJECT)
    obj["spec"]["model"] |= {"version": version, "uri": f"oci://example.com/fraud:{version}"}
    if version in LOADED:
        obj["spec"]["feasibility"] = {"load": copy.deepcopy(LOAD)}
    return obj


def config() -> Config:
    """The operator's configuration: one source, scraped every fifteen seconds."""
    return Config.model_validate(
        {
            "metrics": {
                "default": "world",
                "sources": {
                    "world": {
                        "prometheus": {"url": "http://127.0.0.1:9090"},
                        "preset": "contour-envoy",
                        "server": "prometheus-client",
                    }
                },
            },
            "images": {"tools": "example.com/tools:1"},
            "judgement": {"scrape": "15s"},
            "tick": {"fast": "15s", "live": "15s"},
        }
    )
