"""The defaults that the real API server fills in, as far as they could be mistaken for drift."""

from __future__ import annotations

import zlib

from tests.world.merge import Object


def filled(obj: Object) -> Object:
    """Fill in the server's defaults in place; returns the object."""
    fill = _BY_KIND.get(obj["kind"])
    if fill is not None:
        fill(obj)
    return obj


def _deployment(obj: Object) -> None:
    spec = obj["spec"]
    spec.setdefault("replicas", 1)
    spec.setdefault("progressDeadlineSeconds", 600)
    spec.setdefault("revisionHistoryLimit", 10)
    _pods(spec["template"])


def _job(obj: Object) -> None:
    spec = obj["spec"]
    spec.setdefault("backoffLimit", 6)
    spec.setdefault("completions", 1)
    spec.setdefault("parallelism", 1)
    _pods(spec["template"])


def _pods(template: Object) -> None:
    spec = template["spec"]
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    for container in spec.get("containers", []):
        container.setdefault("terminationMessagePath", "/dev/termination-log")
        container.setdefault("imagePullPolicy", "IfNotPresent")
        for port in container.get("ports", []):
            port.setdefault("protocol", "TCP")


def _service(obj: Object) -> None:
    spec = obj["spec"]
    seed = f"{obj['metadata'].get('namespace')}/{obj['metadata']['name']}".encode()
    spec.setdefault("clusterIP", f"10.96.{zlib.crc32(seed) % 250}.{zlib.adler32(seed) % 250}")
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    for port in spec.get("ports", []):
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port["port"])


def _route(obj: Object) -> None:
    for parent in obj["spec"].get("parentRefs", []):
        parent.setdefault("group", "gateway.networking.k8s.io")
        parent.setdefault("kind", "Gateway")
    for rule in obj["spec"].get("rules", []):
        rule.setdefault("matches", [{"path": {"type": "PathPrefix", "value": "/"}}])
        for backend in rule.get("backendRefs", []):
            backend.setdefault("group", "")
            backend.setdefault("kind", "Service")
            backend.setdefault("weight", 1)


_BY_KIND = {
    "Deployment": _deployment,
    "Job": _job,
    "Service": _service,
    "HTTPRoute": _route,
}
