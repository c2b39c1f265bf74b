"""Prometheus and Alertmanager of the cluster, read through the API server's proxy."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

from e2e.demo.kubectl import Kubectl, wait_for

NAMESPACE = "monitoring"


class Monitoring:
    """What the two of them say."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl

    def query(self, promql: str) -> list[Any]:
        """The series that Prometheus has for an expression now."""
        words = urllib.parse.urlencode({"query": promql})
        found: list[Any] = self._raw("prometheus:9090", f"api/v1/query?{words}")["data"]["result"]
        return found

    def alerts(self, namespace: str) -> dict[str, dict[str, Any]]:
        """What fires about the objects of a namespace, by the name of the alert."""
        found: list[dict[str, Any]] = self._raw("alertmanager:9093", "api/v2/alerts")
        mine = (alert for alert in found if alert["labels"].get("namespace") == namespace)
        return {alert["labels"]["alertname"]: alert for alert in mine}

    def alert(self, namespace: str, name: str, seconds: float = 90) -> dict[str, Any]:
        """That alert, once it fires."""
        return wait_for(f"the alert {name}", seconds, lambda: self.alerts(namespace).get(name))

    def scale(self, name: str, replicas: int) -> None:
        """Take a server away, or bring it back and wait for it."""
        deployment = f"deployment/{name}"
        self._kubectl("-n", NAMESPACE, "scale", deployment, f"--replicas={replicas}")
        self._kubectl(
            "-n", NAMESPACE, "rollout", "status", deployment, "--timeout=60s", patience=70
        )

    def _raw(self, service: str, path: str) -> Any:
        base = f"/api/v1/namespaces/{NAMESPACE}/services/{service}/proxy"
        return json.loads(self._kubectl("get", "--raw", f"{base}/{path}"))
