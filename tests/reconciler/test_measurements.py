"""What reaches a decision from the metrics sources, and what is only asked for when it is due."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from merit.config import Config
from merit.kube.cache import Key
from merit.policy.decide import decide
from merit.policy.state.observed import Observed, RevisionPods
from merit.prometheus.sources import View
from merit.reconciler.measurements import MeasurementReader
from merit.stats.counts import NoSample, Sample
from tests.policy.builders import NOW, in_canary, observed, spec

KEY = Key("risk", "fraud")


class Sources:
    """Remembers what is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.phi: dict[str, float] | None = None

    def view(self, source: str) -> View:
        this: Any = self
        return View(this, this, False, this, this)

    def __getattr__(self, name: str) -> Any:
        def ask(*args: Any, **kwargs: Any) -> Any:
            self.asked.append((name, (args, kwargs)))
            return {
                "display": {}, "warnings": (), "dispersion": self.phi, "readings": ((1.0, 2.0),),
                "sample": Sample(NOW, None, {}),
            }.get(name, NoSample("Unobserved", name))  # fmt: skip

        return ask


def config(*namespaces: str) -> Config:
    source = {
        "prometheus": {"url": "http://127.0.0.1:9"},
        "preset": "contour-envoy",
        "server": "prometheus-client",
        "queries": {"namespaces": list(namespaces)},
    }
    return Config.model_validate({"metrics": {"default": "it", "sources": {"it": source}}})


def watched(canary: bool = False) -> Observed:
    drift = [
        {"name": "score", "of": "Predictions", "histogram": "model_prediction_score"},
        {"name": "kind", "of": "Features", "classes": {"counter": "kinds", "label": "kind"}},
    ]
    raw = spec(
        goal__kpi={"query": "sum(kpi)", "min": "1"},
        monitoring={"drift": drift, "signals": [{"name": "nulls", "query": "max(n)", "max": "1"}]},
    )
    seen = observed(raw)
    seen = in_canary(seen, {**raw, "model": {**raw["model"]}}) if canary else seen
    return replace(seen, tuning=replace(seen.tuning, source="it", view="it", per_pod=True))


def measured(sources: Sources, seen: Observed, *namespaces: str) -> Observed:
    return MeasurementReader(sources, config(*namespaces)).of(KEY, seen)


def test_queries_are_sent_only_from_namespaces_that_the_source_is_opened_to():
    closed = measured(Sources(), watched(), "other")
    assert {r.reason for r in closed.measurements.readings.values()} == {"QueriesClosed"}
    sources = Sources()
    opened = measured(sources, watched(), "risk")
    assert opened.measurements.readings == {"kpi": ((1.0, 2.0),), "signals/nulls": ((1.0, 2.0),)}
    asked = [args[0] for name, (args, _) in sources.asked if name == "readings"]
    assert asked == ["sum(kpi)", "max(n)"]


def test_what_serves_is_read_over_windows_and_revisions_are_paired_only_in_a_canary():
    sources = Sources()
    live = measured(sources, watched())
    assert (
        set(live.measurements.distributions) == {"score", "kind"} and live.measurements.pairs == {}
    )
    wanted = [args[3] for name, (args, _) in sources.asked if name == "windows"]
    assert [(w.name, w.label) for w in wanted] == [
        ("model_prediction_score", "le"), ("kinds", "kind"),
    ]  # fmt: skip
    canary = measured(Sources(), watched(canary=True))
    assert set(canary.measurements.pairs) == {"score"}  # features are the same for both


@pytest.mark.parametrize(("phi", "waits"), [(None, True), ({"errors": 2.5}, False)])
def test_a_rollout_waits_for_its_dispersion_before_the_first_step(phi, waits):
    seen = watched(canary=True)
    candidate = seen.status.candidate
    assert candidate is not None
    beginning = candidate.model_copy(update={"weight": 0, "step": 0, "rollout_since": ""})
    seen = replace(
        seen,
        status=seen.status.model_copy(update={"candidate": beginning}),
        pods={
            **seen.pods,
            candidate.short: RevisionPods(candidate.short, True, True, desired=2, ready=2),
        },
    )
    sources = Sources()
    sources.phi = phi
    seen = measured(sources, seen)
    assert seen.measurements.dispersion_pending is waits
    assert seen.measurements.dispersion == ({} if phi is None else {"errors": 2.5})
    status = decide(seen, NOW).status
    assert status.candidate is not None
    if waits:
        assert status.flow[-1].reason == "Measuring" and status.candidate.weight == 0
    else:
        assert status.candidate.weight > 0 and status.analysis is not None
        phi_of = {s.name: float(s.phi) for s in status.analysis.signals}
        assert phi_of["errors"] == 2.5
