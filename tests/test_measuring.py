"""What reaches a decision from the metrics sources, and what is only asked for when it is due."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from merit.api.status import Condition
from merit.cluster.cache import Key
from merit.config import Config
from merit.evidence.counts import NoSample, Sample
from merit.metrics.pods import Dispersion
from merit.policy.decide import decide
from merit.policy.observed import Arm, Observed
from merit.policy.times import stamp
from merit.reconciler.measuring import Measurements
from merit.reconciler.replicas import WINDOW, ReplicaLog
from tests.policy.test_live import NOW, observed
from tests.policy.test_uncounted import in_canary, spec

KEY = Key("risk", "fraud")


class Sources:
    """Remembers what is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.phi: Dispersion | None = None

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
    return Measurements(sources, config(*namespaces)).of(KEY, seen)


def test_queries_are_sent_only_from_namespaces_that_the_source_is_opened_to():
    closed = measured(Sources(), watched(), "other")
    assert {r.reason for r in closed.readings.values()} == {"QueriesClosed"}
    sources = Sources()
    opened = measured(sources, watched(), "risk")
    assert opened.readings == {"kpi": ((1.0, 2.0),), "signals/nulls": ((1.0, 2.0),)}
    asked = [args[0] for name, (args, _) in sources.asked if name == "readings"]
    assert asked == ["sum(kpi)", "max(n)"]


def test_what_serves_is_read_over_windows_and_arms_are_paired_only_in_a_canary():
    sources = Sources()
    live = measured(sources, watched())
    assert set(live.distributions) == {"score", "kind"} and live.pairs == {}
    wanted = [args[3] for name, (args, _) in sources.asked if name == "windows"]
    assert [(w.metric, w.label) for w in wanted] == [
        ("model_prediction_score", "le"), ("kinds", "kind"),
    ]  # fmt: skip
    canary = measured(Sources(), watched(canary=True))
    assert set(canary.pairs) == {"score"}  # features are the same for both


@pytest.mark.parametrize(("phi", "waits"), [(None, True), (Dispersion({"errors": 2.5}), False)])
def test_a_rollout_waits_for_its_dispersion_before_the_first_step(phi, waits):
    seen = watched(canary=True)
    candidate = seen.status.candidate
    assert candidate is not None
    beginning = candidate.model_copy(update={"weight": 0, "step": 0, "rollout_since": ""})
    seen = replace(
        seen,
        status=seen.status.model_copy(update={"candidate": beginning}),
        arms={**seen.arms, candidate.short: Arm(candidate.short, True, True, desired=2, ready=2)},
    )
    sources = Sources()
    sources.phi = phi
    seen = measured(sources, seen)
    assert seen.measuring is waits
    assert seen.dispersion == ({} if phi is None else {"errors": 2.5})
    status = decide(seen, NOW).status
    assert status.candidate is not None
    if waits:
        assert status.flow[-1].reason == "Measuring" and status.candidate.weight == 0
    else:
        assert status.candidate.weight > 0 and status.analysis is not None
        phi_of = {s["name"]: float(s["phi"]) for s in status.analysis["signals"]}
        assert phi_of["errors"] == 2.5


@pytest.mark.parametrize(("reason", "stays"), [("NoTraffic", True), ("MetricsLost", False)])
def test_silence_of_callers_holds_for_ever_and_lost_metrics_withdraw(reason, stays):
    seen = watched(canary=True)
    lost = Condition(
        type="MetricsAvailable", status="False", reason=reason,
        last_transition_time=stamp(NOW - 7200),
    )  # fmt: skip
    candidate = seen.status.candidate
    assert candidate is not None
    seen = replace(
        seen,
        sample=NoSample(reason, "nobody asks"),
        status=seen.status.model_copy(update={"conditions": (lost,)}),
        route=replace(seen.route, weights={candidate.short: 10}),
    )
    after = decide(seen, NOW).status.candidate
    assert after is not None and (after.weight == 10) is stays


def test_metrics_that_are_lost_after_a_long_silence_have_only_just_been_lost():
    seen = watched(canary=True)
    candidate = seen.status.candidate
    assert candidate is not None
    seen = replace(seen, route=replace(seen.route, weights={candidate.short: 10}))
    for reason, at in (("NoTraffic", NOW - 7200), ("MetricsLost", NOW - 5), ("MetricsLost", NOW)):
        decision = decide(replace(seen, sample=NoSample(reason, "nothing")), at)
        seen = replace(seen, status=decision.status)
    assert seen.status.candidate is not None and seen.status.candidate.weight == 10
    decision = decide(replace(seen, sample=NoSample("MetricsLost", "nothing")), NOW + 7200)
    assert decision.status.candidate is not None and decision.status.candidate.weight == 0


def test_replicas_are_a_mean_over_half_an_hour_and_forget_what_is_older():
    log = ReplicaLog()
    log.note({"a": 2}, 0.0)
    assert log.means(0.0) == {"a": 2.0}
    log.note({"a": 4}, 900.0)
    assert log.means(1800.0) == {"a": 3.0}
    log.note({"a": 4, "b": 1}, 900.0 + WINDOW)
    assert log.means(900.0 + WINDOW) == {"a": 4.0, "b": 1.0}
    log.note({"b": 1}, 4000.0)
    assert log.means(4000.0) == {"b": 1.0}
