"""Where the pods under test tell their own counts of requests: as a Prometheus would find it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.api.defaults import effective
from merit.api.spec import Spec
from merit.evidence.load_order import Counter, Scrape

PORTS = ("metrics", "http-metrics", "prometheus")  # what a port of their own is called


def scrape_of(spec: Spec, counters: tuple[Counter, ...]) -> Scrape | str:
    """Port and path, by the template's annotations, its ports, or serving.port and /metrics.

    A sentence if the pods are not to be asked. `counters`: of the metrics source's preset.
    """
    if effective(spec).own_counts == "Ignore":
        return "spec.feasibility.load.ownCounts is Ignore"
    if not counters:
        return "the metrics source names no preset of the servers' own series"
    template = spec.serving.template
    given = _mapping(_mapping(template.get("metadata")).get("annotations"))
    if given.get("prometheus.io/scrape") == "false":
        return 'the pod template says prometheus.io/scrape: "false"'
    if given.get("prometheus.io/scheme", "http") != "http":
        return f"the pod template says prometheus.io/scheme: {given['prometheus.io/scheme']}"
    port = str(given.get("prometheus.io/port", _named(template) or spec.serving.port))
    if not port.isdecimal() or not 0 < int(port) < 65536:
        return f"prometheus.io/port is no port: {port[:20]}"
    path = str(given.get("prometheus.io/path") or "/metrics")
    return Scrape(int(port), path if path.startswith("/") else f"/{path}", counters)


def _named(template: Mapping[str, Any]) -> object:
    """The port that is called one for metrics, of whatever container; None without one."""
    containers = _mapping(template.get("spec")).get("containers")
    for container in containers if isinstance(containers, list) else ():
        ports = _mapping(container).get("ports")
        for port in ports if isinstance(ports, list) else ():
            if _mapping(port).get("name") in PORTS:
                return port.get("containerPort")
    return None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
