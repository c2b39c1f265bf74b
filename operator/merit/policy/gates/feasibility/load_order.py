"""The order of a load test: what the generator sends, and where the pods' own counters are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.api.defaults import effective
from merit.api.spec import Spec
from merit.loadtest.order import Counter, Order, Scrape
from merit.loadtest.plan import Plan
from merit.policy.gates.feasibility.demand import Demand
from merit.policy.state.prices import mapping, objects_in

PORTS = ("metrics", "http-metrics", "prometheus")  # names of a port for metrics alone


def plan_of(spec: Spec, demand: Demand) -> Plan:
    """Rates, stages and bars of the load test."""
    return demand.plan(effective(spec).load_duration or 0.0)


def order_of(
    spec: Spec, demand: Demand, targets: tuple[str, ...], counters: tuple[Counter, ...]
) -> Order:
    """What the generator is to send. `targets`: base URLs of the ready pods; `counters`: the
    servers' own counters of requests, as the metrics source's preset names them.
    """
    assert spec.feasibility is not None and spec.feasibility.load is not None
    request = spec.feasibility.load.request
    headers = {header.name: header.value for header in request.headers or ()}
    if request.bodies_from is not None and "content-type" not in map(str.lower, headers):
        headers["Content-Type"] = "application/json"
    scrape = scrape_of(spec, counters)
    return Order(
        plan=plan_of(spec, demand),
        targets=targets,
        method=request.method or ("POST" if request.bodies_from else "GET"),
        path=request.path,
        headers=headers,
        bodies=request.bodies_from.config_map if request.bodies_from else "",
        scrape=scrape if isinstance(scrape, Scrape) else None,
        uncounted=scrape if isinstance(scrape, str) else "",
    )


def scrape_of(spec: Spec, counters: tuple[Counter, ...]) -> Scrape | str:
    """Port and path by the template's annotations, its ports, or serving.port and /metrics.

    As a Prometheus would find them. A sentence that says why, if the pods are not to be scraped.
    """
    if effective(spec).own_counts == "Ignore":
        return "spec.feasibility.load.ownCounts is Ignore"
    if not counters:
        return "the metrics source names no preset of the servers' own series"
    template = spec.serving.template
    annotations = mapping(mapping(template.get("metadata")).get("annotations"))
    if annotations.get("prometheus.io/scrape") == "false":
        return 'the pod template says prometheus.io/scrape: "false"'
    if annotations.get("prometheus.io/scheme", "http") != "http":
        return f"the pod template says prometheus.io/scheme: {annotations['prometheus.io/scheme']}"
    port = str(annotations.get("prometheus.io/port", _metrics_port(template) or spec.serving.port))
    if not port.isdecimal() or not 0 < int(port) < 65536:
        return f"prometheus.io/port is no port: {port[:20]}"
    path = str(annotations.get("prometheus.io/path") or "/metrics")
    return Scrape(int(port), path if path.startswith("/") else f"/{path}", counters)


def _metrics_port(template: Mapping[str, Any]) -> object:
    """The port of any container whose name says that it is for metrics; None without one."""
    for container in objects_in(mapping(template.get("spec")), "containers"):
        for port in objects_in(container, "ports"):
            if port.get("name") in PORTS:
                return port.get("containerPort")
    return None
