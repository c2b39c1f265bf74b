"""What users declare in the fleet, and the metrics of its gateway and its model servers."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from merit.api.hashing import identify
from tests.api.manifests import GOOD

NAMESPACE = "fleet"
KPI = 'sum(rate(envoy_cluster_upstream_rq_xx{job="envoy"}[1m]))'
PORT = 8080
STABLE_RPS, CANARY_RPS = 20.0, 2.0


def canaries_of(objects: int) -> range:
    """The numbers of the objects with a canary: every fourth."""
    return range(0, objects, 4)


def manifest(name: str, version: str, namespace: str = NAMESPACE) -> dict[str, Any]:
    """An object with every kind of signal, whose canary stays at its first step."""
    obj = copy.deepcopy(GOOD)
    obj["metadata"] = {"name": name, "namespace": namespace}
    spec = obj["spec"]
    spec["goal"]["kpi"] = {"query": KPI, "min": "0"}
    spec["constraints"] = {"latency": {"p99": "100ms"}, "errors": {"max": "1%"}}
    spec["failureModes"] += [
        {"name": "shift", "signal": "drift/score", "response": "Alert"},
        {"name": "missed", "signal": "kpi", "response": "Alert"},
    ]
    spec["model"] = {"name": name, "version": version, "uri": f"oci://example.com/{name}:{version}"}
    spec["monitoring"] = {
        "drift": [
            {"name": "score", "of": "Predictions", "histogram": "model_prediction_score"},
        ]
    }
    spec["rollout"]["route"]["gateway"]["hostnames"] = [f"{name}.example.com"]
    spec["rollout"] |= {"steps": [10, 50], "approvals": [50], "maxDuration": "24h"}
    return obj


@dataclass(frozen=True, slots=True)
class RevisionPods:
    """The pods of a revision that has served since `born`, and fails since `broken`, Unix seconds.

    `obj`: the name of its object.
    """

    obj: str
    namespace: str
    service: str
    born: float
    rps: float
    broken: float = math.inf

    @classmethod
    def of(cls, obj: dict[str, Any], rps: float) -> RevisionPods:
        """The pods of the declared revision, from now on."""
        short = identify(obj["spec"]).short
        name, namespace = obj["metadata"]["name"], obj["metadata"]["namespace"]
        return cls(name, namespace, f"{name}-{short}", time.time(), rps)

    def served(self, now: float) -> int:
        """Requests so far."""
        return int((now - self.born) * self.rps)

    def failed(self, now: float) -> int:
        """Requests with an error so far: one of a thousand, and all since it is broken."""
        well = self.served(min(now, self.broken))
        return well // 1000 + self.served(now) - well


def gateway_metrics(revisions: Iterable[RevisionPods]) -> str:
    """What an Envoy exports of these revisions."""
    now, lines = time.time(), []
    for revision in revisions:
        n, failed = revision.served(now), revision.failed(now)
        label = f'envoy_cluster_name="{revision.namespace}_{revision.service}_{PORT}"'
        lines += [
            f'envoy_cluster_upstream_rq_xx{{{label},envoy_response_code_class="{klass}"}} {count}'
            for klass, count in (("2", n - failed), ("5", failed))
        ]
        lines += [
            f'envoy_cluster_upstream_rq_time_bucket{{{label},le="{le}"}} {int(n * share)}'
            for le, share in (("50", 0.9), ("100", 0.999), ("250", 1.0), ("+Inf", 1.0))
        ]
        lines.append(f"envoy_cluster_upstream_rq_timeout{{{label}}} 0")
    return "\n".join(lines) + "\n"


def server_metrics(revisions: Iterable[RevisionPods]) -> str:
    """What their pods export."""
    now, lines = time.time(), []
    for revision in revisions:
        n, failed = revision.served(now), revision.failed(now)
        pod = f'namespace="{revision.namespace}",pod="{revision.service}-7d4f9c5b6-x2x7q"'
        lines += [
            f'model_requests_total{{{pod},code="{code}"}} {count}'
            for code, count in (("200", n - failed), ("500", failed))
        ]
        lines += [
            f'{metric}_bucket{{{pod},le="{le}"}} {int(n * share)}'
            for metric, edges in (
                ("model_request_duration_seconds", (("0.1", 0.999), ("+Inf", 1.0))),
                ("model_prediction_score", (("0.2", 0.3), ("0.5", 0.7), ("0.8", 0.9), ("+Inf", 1))),
            )
            for le, share in edges
        ]
    return "\n".join(lines) + "\n"
