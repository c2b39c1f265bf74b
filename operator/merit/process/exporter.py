"""The operator's own metrics, read from its parts at each scrape and written by prometheus_client.

No label holds a tenant's text except namespace and name of an object, and every other label has a
fixed set of values. At most MAX_OBJECTS objects get series of their own, so the number of series
is bounded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from merit.alertmanager.outbox import Outbox
from merit.kube.cache import Key
from merit.policy.report.gauges import Gauges
from merit.reconciler.telemetry import Telemetry

MAX_OBJECTS = 5000
# Not "namespace": Prometheus gives that name to the operator's own when it scrapes a pod.
OBJECT_LABELS = ("object_namespace", "object")
# The help text of every family. Those whose name ends in _total are counters.
_HELP = {
    "merit_leader": "1 while this replica leads.",
    "merit_loop_lag_seconds": "How late the event loop is.",
    "merit_watch_age_seconds": "Seconds since an event or a relist confirmed the cache of a kind.",
    "merit_queue_depth": "Keys that are due and wait for a slot.",
    "merit_queue_oldest_seconds": "How long the oldest of them is overdue.",
    "merit_reconciles_total": "Reconciles by outcome.",
    "merit_reconcile_seconds_total": "Seconds spent in reconciles.",
    "merit_api_requests_total": "Calls of the API server; code 0: no answer.",
    "merit_prometheus_queries_total": (
        "Queries of Prometheus by source of the configuration and outcome."
    ),
    "merit_prometheus_errors_total": "Polls of Prometheus that failed.",
    "merit_alerts_firing": "Alerts of models that fire now.",
    "merit_alerts_sent_total": "Alerts that Alertmanager took, refreshed and resolved ones too.",
    "merit_alerts_failed_total": "Requests to Alertmanager that failed.",
    "merit_alerts_failing_seconds": "Seconds since alerts stopped to arrive; 0 if they arrive.",
    "merit_decisions_total": "Decisions that were written down, by the reason of their Event.",
    "merit_verdicts_total": "New verdicts of a stage of the flow.",
    "merit_internal_errors_total": "Passes that failed by a defect of the operator's own.",
    "merit_fleet_incident": "1 while a fleet incident of some metrics source withholds rejections.",
    "merit_objects": "ModelDeployments by phase.",
    "merit_evidence_lag_seconds": (
        "Age of the newest sample, of the exposed candidate whose newest sample is oldest."
    ),
    "merit_candidate_weight": "Percent that the candidate is meant to have.",
    "merit_trusted": "1: every signal is inside its bar, 0: one is not.",
    "merit_log_e_value": "Log e-value that the candidate is worse.",
    "merit_log_e_threshold": "Log e-value that rejects the candidate.",
    "merit_cost_per_hour": "Price of all replicas that are wanted.",
    "merit_signal_value": "Share of bad requests of what serves, or the value as it is.",
    "merit_signal_bar": "Bound on merit_signal_value, from above or below.",
    "merit_signal_bar_used": "How much of its bar a signal uses up; beyond 1 it is broken.",
}


@dataclass(slots=True)
class Calls:
    """Requests to other systems since the start of the process.

    `api`: by verb and status code; code 0 means that there was no answer. `queries`: of
    Prometheus, by the source's name and outcome. `prometheus_errors`: polls of a source that
    failed.
    """

    api: Counter[tuple[str, int]] = field(default_factory=Counter)
    queries: Counter[tuple[str, str]] = field(default_factory=Counter)
    prometheus_errors: int = 0

    def count(self, verb: str, code: int) -> None:
        """Count one request to the API server; code 0 means that there was no answer."""
        self.api[verb, code] += 1


@dataclass(frozen=True, slots=True)
class QueueStats:
    """The work queue: `depth` (keys) and `oldest` (seconds) by lane, reconciles by outcome.

    `seconds`: the time that all reconciles took together.
    """

    depth: dict[str, int]
    oldest: dict[str, float]
    outcomes: dict[str, int]
    seconds: float


@dataclass(frozen=True, slots=True)
class OperatorMetrics(Collector):
    """A collector over the parts of the process. Every callable returns at once.

    `lag`: seconds that the event loop is late. `watch_ages`: by kind, seconds since its cache was
    last confirmed. `now`: Unix seconds. `outbox`: None without an Alertmanager.
    """

    calls: Calls
    queue: Callable[[], QueueStats]
    leading: Callable[[], bool]
    lag: Callable[[], float]
    watch_ages: Callable[[], Mapping[str, float]]
    now: Callable[[], float]
    telemetry: Telemetry = field(default_factory=Telemetry)
    outbox: Outbox | None = None

    def text(self) -> str:
        """The body of /metrics, in Prometheus' text format."""
        return generate_latest(self).decode()

    def collect(self) -> Iterator[Metric]:
        """Every metric family with its current values."""
        calls, queue, telemetry, leading = self.calls, self.queue(), self.telemetry, self.leading()
        yield _family("merit_leader", leading)
        yield _family("merit_loop_lag_seconds", self.lag())
        yield _family("merit_watch_age_seconds", self.watch_ages(), "kind")
        # The keys that a standby holds are for the moment that it leads: they do not wait.
        waiting = 1 if leading else 0
        yield _family("merit_queue_depth", {k: n * waiting for k, n in queue.depth.items()}, "lane")
        oldest = {lane: age * waiting for lane, age in queue.oldest.items()}
        yield _family("merit_queue_oldest_seconds", oldest, "lane")
        yield _family("merit_reconciles_total", queue.outcomes, "outcome")
        yield _family("merit_reconcile_seconds_total", queue.seconds)
        yield _family("merit_api_requests_total", calls.api, "verb", "code")
        yield _family("merit_prometheus_queries_total", calls.queries, "source", "outcome")
        yield _family("merit_prometheus_errors_total", calls.prometheus_errors)
        if self.outbox is not None:
            delivery, since = self.outbox.delivery, self.outbox.delivery.failing_since
            failing = 0.0 if since is None else self.outbox.now() - since
            yield _family("merit_alerts_firing", self.outbox.firing(), "severity")
            yield _family("merit_alerts_sent_total", delivery.sent)
            yield _family("merit_alerts_failed_total", delivery.failures)
            yield _family("merit_alerts_failing_seconds", failing)
        yield _family("merit_decisions_total", telemetry.decisions, "reason")
        yield _family("merit_verdicts_total", telemetry.verdicts, "stage", "verdict")
        yield _family("merit_internal_errors_total", telemetry.internal_errors)
        yield _family("merit_fleet_incident", telemetry.incident())
        yield from _objects(telemetry.objects, self.now())


def _objects(known: Mapping[Key, Gauges], now: float) -> Iterator[Metric]:
    """How many objects there are, and the numbers of each. `now`: Unix seconds."""
    yield _family("merit_objects", Counter(gauges.phase for gauges in known.values()), "phase")
    lag = max((now - g.observed for g in known.values() if g.weight and g.observed), default=0.0)
    yield _family("merit_evidence_lag_seconds", max(0.0, lag))
    shown = dict(sorted(known.items())[:MAX_OBJECTS])
    for name, attribute in (
        ("merit_candidate_weight", "weight"),
        ("merit_trusted", "trusted"),
        ("merit_log_e_value", "evidence"),
        ("merit_log_e_threshold", "mark"),
        ("merit_cost_per_hour", "hourly"),
    ):
        values = {key: getattr(gauges, attribute) for key, gauges in shown.items()}
        known_values = {key: value for key, value in values.items() if value is not None}
        yield _family(name, known_values, *OBJECT_LABELS)
    signals = {(*key, name): g for key, of in shown.items() for name, g in of.signals.items()}
    for name, attribute in (
        ("merit_signal_value", "value"),
        ("merit_signal_bar", "bar"),
        ("merit_signal_bar_used", "used"),
    ):
        by_signal = {key: getattr(gauge, attribute) for key, gauge in signals.items()}
        yield _family(name, by_signal, *OBJECT_LABELS, "signal")


def _family(name: str, values: float | Mapping[Any, float], *labels: str) -> Metric:
    """A family of metrics. `values`: one number, or numbers by the values of the labels."""
    kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
    family = kind(name, _HELP[name], labels=labels)
    for key, value in sorted(values.items()) if isinstance(values, Mapping) else [((), values)]:
        family.add_metric([str(v) for v in (key if isinstance(key, tuple) else (key,))], value)
    return family
