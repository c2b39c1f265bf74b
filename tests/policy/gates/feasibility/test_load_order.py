"""Where the pods under test are scraped for their own counts of requests."""

from __future__ import annotations

from typing import Any

import pytest

from merit.api.spec import Spec
from merit.api.validation import parse_spec
from merit.loadtest.order import Counter, Scrape
from merit.policy.gates.feasibility.load_order import scrape_of
from tests.api.manifests import good, put

ASKED = (Counter(("model_requests_total",)),)
LOAD = {"request": {"path": "/predict"}}
TEMPLATE = "spec.serving.template"


def declared(
    annotations: dict[str, str] | None = None, ports: list[Any] | None = None, **load: Any
) -> Spec:
    manifest = put("spec.feasibility", {"load": LOAD | load}, good())
    if annotations is not None:
        manifest = put(f"{TEMPLATE}.metadata", {"annotations": annotations}, manifest)
    if ports is not None:
        manifest = put(f"{TEMPLATE}.spec.containers.0.ports", ports, manifest)
    spec = parse_spec(manifest["spec"], name="fraud")
    assert isinstance(spec, Spec), spec
    return spec


PORT = [{"name": "http", "containerPort": 8080}]
METRICS = [*PORT, {"name": "metrics", "containerPort": 8082}]
FOUND: dict[str, tuple[Spec, tuple[int, str]]] = {
    "where it serves": (declared(), (8080, "/metrics")),
    "at a port of that name": (declared(ports=METRICS), (8082, "/metrics")),
    "where the annotations say": (
        declared({"prometheus.io/port": "9000", "prometheus.io/path": "stats"}, METRICS),
        (9000, "/stats"),
    ),
}


@pytest.mark.parametrize("where", FOUND)
def test_the_pods_are_asked(where: str) -> None:
    spec, (port, path) = FOUND[where]
    assert scrape_of(spec, ASKED) == Scrape(port, path, ASKED)


NOT_ASKED = {
    "nobody counts": (declared(), (), "names no preset"),
    "the template forbids it": (declared({"prometheus.io/scrape": "false"}), ASKED, "scrape"),
    "it takes TLS": (declared({"prometheus.io/scheme": "https"}), ASKED, "scheme: https"),
    "the port is none": (declared({"prometheus.io/port": "web"}), ASKED, "no port: web"),
    "the spec ignores them": (declared(ownCounts="Ignore"), ASKED, "ownCounts is Ignore"),
}


@pytest.mark.parametrize("why", NOT_ASKED)
def test_the_pods_are_not_asked_if(why: str) -> None:
    spec, counters, words = NOT_ASKED[why]
    found = scrape_of(spec, counters)
    assert isinstance(found, str) and words in found
