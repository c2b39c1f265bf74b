"""The numbers of an object for /metrics: of every kind of signal, and in nobody's words."""

from __future__ import annotations

from decimal import Decimal

import pytest

from merit.policy.report.gauges import Gauge, gauges
from merit.policy.state.measurements import Figure
from merit.policy.state.observed import Observed, Tuning
from merit.policy.state.prices import PriceBook
from merit.stats.counts import NoSample
from tests.api.manifests import put
from tests.policy.builders import observed


def seen() -> Observed:
    queries = [
        {"name": "nulls", "query": "avg(nulls)", "max": "0.02"},
        {"name": "fallbacks", "query": "avg(fallbacks)", "max": "0.5"},
    ]
    manifest = put("spec.monitoring", {"signals": queries})
    manifest["spec"]["goal"]["kpi"] = {"query": "sum(prevented)", "min": "40"}
    found = observed(manifest["spec"])
    readings = {
        "kpi": ((1.0, 60.0), (2.0, 50.0)),
        "signals/nulls": ((2.0, 0.03),),
        "signals/fallbacks": ((2.0, 0.1),),
    }
    return observed(
        manifest["spec"],
        readings=readings,
        figures={"errors": Figure(share=0.002, n=400, value="0.2%")},
        tuning=Tuning(source="contour"),
        status=found.status,
    )


def test_every_signal_shows_how_much_of_its_bar_is_used_up() -> None:
    found = gauges(seen(), seen().status).signals
    assert found["errors"].value == 0.002
    assert found["kpi"] == Gauge(50.0, 40.0, 0.8)
    assert found["custom"] == Gauge(0.03, 0.02, 1.5), "of several the one that is furthest gone"
    assert not [label for label in found if "nulls" in label or "fallbacks" in label]


def test_what_is_not_known_is_no_number() -> None:
    view = seen()
    lost = NoSample("MetricsLost", "Prometheus does not answer")
    found = gauges(observed(readings={"kpi": lost}), view.status)
    assert "kpi" not in found.signals
    assert found.hourly is None and found.evidence is None and found.mark is None


def test_a_price_is_of_all_replicas_or_none_is_told() -> None:
    book = PriceBook(currency="USD", cpu_hour=Decimal("0.04"), memory_gib_hour=Decimal("0.01"))
    container = "spec.serving.template.spec.containers.0.resources"
    priced = observed(
        put(container, {"requests": {"cpu": "500m", "memory": "1Gi"}})["spec"],
        tuning=Tuning(prices=book),
    )
    assert gauges(priced, priced.status).hourly == pytest.approx(2 * (0.02 + 0.01))
    free = observed(tuning=Tuning(prices=book))
    assert gauges(free, free.status).hourly is None
