"""One good manifest, as small as it may be, and how to change a copy of it."""

from __future__ import annotations

import copy
from typing import Any

GOOD: dict[str, Any] = {
    "apiVersion": "merit.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {"name": "fraud-scorer", "namespace": "default"},
    "spec": {
        "goal": {"objective": "Stop card fraud at checkout without slowing it down"},
        "owner": {"team": "risk-ml", "contact": "#risk-ml-oncall"},
        "constraints": {
            "latency": {"p99": "100ms"},
            "errors": {"max": "1%"},
            "cost": {"perHour": "6.00", "per1kPredictions": "0.02", "currency": "USD"},
            "scale": {"rps": 50, "replicas": {"min": 2, "max": 8}},
        },
        "failureModes": [
            {"name": "slow-responses", "signal": "latency", "response": "Rollback"},
            {"name": "errors", "signal": "errors", "response": "Rollback"},
        ],
        "model": {"name": "fraud", "version": "2026-11-01", "uri": "oci://example.com/fraud:1"},
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
            "job": {"template": {"spec": {"containers": [{"name": "e", "image": "e:1"}]}}},
            "bars": [{"metric": "recall", "min": "0.80"}],
        },
        "rollout": {
            "route": {
                "gateway": {
                    "parentRefs": [{"name": "public", "namespace": "gateways"}],
                    "hostnames": ["fraud.example.com"],
                }
            }
        },
        "rollbackPolicy": {"automatic": True},
    },
}


def good() -> dict[str, Any]:
    """A fresh copy."""
    return copy.deepcopy(GOOD)


def full() -> dict[str, Any]:
    """Every field that there is."""
    manifest = good()
    for path, value in {
        "owner.runbook": "https://runbooks.example.com/fraud",
        "constraints.latency": {"p50": "20ms", "p90": "50ms", "p95": "75ms", "p99": "1.5s"},
        "failureModes.0.impact": "shoppers abandon checkout",
        "failureModes.1.signal": "latency/p95",
        "evaluation.report": {
            "format": "LmEval",
            "path": "out/results_*.json",
            "metrics": [{"name": "acc", "from": "/results/country=BR/acc,none~1x"}],
        },
        "evaluation.job.activeDeadlineSeconds": 600,
        "evaluation.job.backoffLimit": 0,
        "evaluation.bars": [
            {
                "metric": "recall",
                "min": "0.80",
                "max": "1",
                "noWorseThanStable": "0.002",
                "maxSpread": "0.01",
                "slices": ["country=*", "age=6?"],
                "minSamples": 1000,
                "direction": "Higher",
                "proof": "Bound",
            },
            {"metric": "val/roc_auc", "noWorseThanStable": "0"},
        ],
        "feasibility": {
            "load": {
                "duration": "30s",
                "headroom": "20%",
                "request": {
                    "method": "POST",
                    "path": "/predict",
                    "headers": [{"name": "X-Tenant", "value": "load-test"}],
                    "bodiesFrom": {"configMap": "fraud-samples"},
                },
                "ownCounts": "Ignore",
            },
            "prices": "spot",
        },
        "rollout.route.gateway.parentRefs.0.sectionName": "https",
        "rollout.route.gateway.parentRefs.0.port": 443,
        "rollout.route.gateway.rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/predict"}}],
                "filters": [{"type": "URLRewrite", "urlRewrite": {"hostname": "a.example"}}],
                "timeouts": {"request": "10s"},
            }
        ],
        "rollout.steps": [1, 5, 25, 50],
        "rollout.approvals": [50],
        "rollout.confidence": "99%",
        "rollout.blastRadius": "0.5%",
        "rollout.minDuration": "20s",
        "rollout.maxDuration": "1h30m",
        "rollout.onInconclusive": "Withdraw",
        "rollout.holdback": {"weight": 10, "duration": "30s"},
        "goal.kpi": {
            "query": 'sum(rate(fraud_prevented_total{app="fraud"}[1h]))',
            "min": "40",
            "max": "1000000",
        },
        "monitoring": {
            "source": "contour",
            "drift": [
                {
                    "name": "score",
                    "of": "Predictions",
                    "histogram": "model_prediction_score",
                    "sensitivity": "Low",
                },
                {
                    "name": "kind",
                    "of": "Features",
                    "classes": {"counter": "model_channel_total", "label": "channel"},
                },
            ],
            "signals": [{"name": "nulls", "query": "max(nulls)", "max": "0.02", "min": "0"}],
        },
        "failureModes.2": {"name": "shift", "signal": "drift/score", "response": "Rollback"},
        "failureModes.3": {"name": "nulls", "signal": "signals/nulls", "response": "Alert"},
        "failureModes.4": {"name": "goal", "signal": "kpi", "response": "Hold"},
        "rollbackPolicy.keepRevisions": 5,
        "rollbackPolicy.keepWarm": "24h",
        "bypass": {
            "stages": ["Evaluation", "Rollout"],
            "reason": "INC-4711",
            "expires": "2026-11-24T00:00:00Z",
        },
        "paused": False,
        "rollback": {
            "fromRevision": "h1:" + "0" * 64,
            "fromStage": "Rollout",
            "fromPolicy": "h1:" + "1" * 64,
            "toRevision": "h1:" + "2" * 64,
            "reason": "ErrorsBreached",
            "message": "errors 6.2% > 1%, 99.2% confidence, 1,240 requests",
            "at": "2026-11-23T01:02:03Z",
        },
    }.items():
        manifest = put(f"spec.{path}", value, manifest)
    return manifest


def put(path: str, value: Any, manifest: dict[str, Any] | None = None) -> dict[str, Any]:
    """A copy with `value` at the dotted path (numbers index lists); `...` removes what is there."""
    result = good() if manifest is None else copy.deepcopy(manifest)
    *parents, last = path.split(".")
    at: Any = result
    for part in parents:
        at = at[int(part)] if isinstance(at, list) else at.setdefault(part, {})
    key: Any = int(last) if isinstance(at, list) else last
    if value is ...:
        del at[key]
    elif isinstance(at, list) and key == len(at):
        at.append(value)
    else:
        at[key] = value
    return result
