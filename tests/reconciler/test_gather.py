"""Which counters of requests the metrics sources' presets know for the servers."""

from __future__ import annotations

from merit.config import Metrics
from merit.reconciler.gather import counters_of


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
