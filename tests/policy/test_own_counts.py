"""The pods' own counts: where they are asked, what agrees, and what is no verdict."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from merit.api.spec import Spec
from merit.api.validation import parse_spec
from merit.config import Metrics
from merit.evidence.load_counts import Counts, disagreement
from merit.evidence.load_order import Counter, Scrape
from merit.policy.feasibility.demand import Demand
from merit.policy.feasibility.load_test import weigh
from merit.policy.feasibility.own_counts import scrape_of
from merit.reconciler.own_counters import counters_of
from tests.api.manifests import good, put
from tests.policy.load_world import Band, Server, run

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


def test_a_source_counts_by_its_preset_for_servers_or_by_its_own_if_that_is_one() -> None:
    server = {"prometheus": {"url": "http://p"}}
    metrics = Metrics.model_validate(
        {
            "sources": {
                "gateway": server | {"preset": "contour-envoy"},
                "both": server | {"preset": "contour-envoy", "server": "bentoml"},
                "pods": server | {"preset": "mlserver"},
            }
        }
    )
    found = counters_of(metrics)
    assert found.keys() == {"both", "pods"}
    (bento,) = found["both"]
    assert bento.series == ("bentoml_service_request_total",)
    assert "/readyz" in bento.never["endpoint"]
    rest, infer = found["pods"]
    assert (rest.where, len(infer.series)) == ({"method": "POST"}, 2)


@pytest.mark.parametrize(
    ("seen", "differs"),
    [
        (None, ""),
        (10_000, ""),
        (9_395, ""),
        (9_394, "9,394 requests, and 9,900 were answered well: something else answered"),
        (10_750, ""),  # two pods for a minute: probes and scrapes may be among them
        (10_751, "10,751 requests, and 10,000 were sent: somebody else sends"),
        (0, "0 requests"),
    ],
)
def test_a_difference_counts_only_beyond_all_tolerance(seen: int | None, differs: str) -> None:
    counts = Counts(sent=10_000, good=9_900, s=60.0, seen=seen)
    found = disagreement(counts, pods=2)
    assert differs in found and bool(differs) == bool(found)


def test_few_requests_are_no_difference() -> None:
    assert not disagreement(Counts(sent=8, good=8, s=1.0, seen=0), pods=1)


FAST = Server((Band(1000.0, ((1.0, 10.0),)),))
SLOW = Server((Band(1.0, ((1.0, 10.0),)),))
DEMAND = Demand(rps=Decimal(100), replicas_max=2, latency={"p99": 100.0})


@pytest.mark.parametrize("server", [FAST, SLOW])
def test_no_verdict_comes_of_a_test_that_measured_something_else(server: Server) -> None:
    report = run(server, DEMAND)
    without, _ = weigh(DEMAND, report)
    assert without.kind == ("Good" if server is FAST else "Bad")
    sent = sum(stage.sent for stage in report.stages)
    agreed, facts = weigh(DEMAND, replace(report, counts=Counts(sent, sent, 60.0, sent)))
    assert (agreed.kind, agreed.reason) == (without.kind, without.reason)
    assert facts["counts"].startswith(f"{sent:,} counted by the pods")
    for seen in (sent // 2, 2 * sent):
        verdict, facts = weigh(DEMAND, replace(report, counts=Counts(sent, sent, 60.0, seen)))
        assert (verdict.kind, verdict.reason) == ("NoData", "CountsDisagree")
        assert f"{seen:,} counted" in facts["counts"]


def test_what_nobody_counted_changes_no_verdict() -> None:
    report = run(FAST, DEMAND)
    unknown = replace(report, counts=Counts(9, 9, 1.0, None, "answers 404"))
    assert weigh(DEMAND, unknown)[0] == weigh(DEMAND, report)[0]
