"""The service of the guarantee: errors at most 1 %, p99 at most 120 ms, all else by default."""

from __future__ import annotations

from typing import Any

from merit.api.validation import Invalid
from merit.simulate.plan import Plan, plan
from merit.simulate.service import Service, default_service
from merit.stats.terms import Constants

RPS = (2, 20, 200, 2000)
SPEC: dict[str, Any] = {
    "goal": {"objective": "Measure the guarantee"},
    "owner": {"team": "merit", "contact": "#merit"},
    "constraints": {"errors": {"max": "1%"}, "latency": {"p99": "120ms"}},
    "failureModes": [
        {"name": "errors", "signal": "errors", "response": "Rollback"},
        {"name": "slow", "signal": "latency", "response": "Rollback"},
    ],
    "model": {"name": "bench", "version": "2", "uri": "oci://example.com/bench:2"},
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
                "parentRefs": [{"name": "public"}],
                "hostnames": ["bench.example.com"],
            }
        }
    },
    "rollbackPolicy": {"automatic": True},
}


def plan_at(rps: float, *, rollout: dict[str, Any] | None = None, **constants: float) -> Plan:
    """The plan at that traffic; `rollout` overrides fields of the spec's own."""
    pods = max(2, round(rps / 50))
    spec = {
        **SPEC,
        "constraints": {
            **SPEC["constraints"],
            "scale": {"rps": rps, "replicas": {"min": pods, "max": pods}},
        },
        "rollout": {**SPEC["rollout"], **(rollout or {})},
    }
    found = plan(spec, name="bench", rps=rps, constants=Constants(**constants))
    assert not isinstance(found, Invalid), found.sentence()
    return found


def service_of(found: Plan) -> Service:
    """Stable: 0.1 % errors, 0.37 % slower than the bound."""
    return default_service(found.bars)
