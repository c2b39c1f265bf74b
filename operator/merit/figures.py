"""What the operator tells of itself: which figures, from which of its parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from merit.alerts.outbox import Outbox
from merit.exposition import Family, Sample, counted, objects
from merit.reconciler.witness import Witness


@dataclass(slots=True)
class Calls:
    """What was asked of others, since the start.

    `api`: by verb and status code, 0 without an answer. `queries`: of Prometheus, by the source's
    name and outcome. `prometheus_errors`: looks at the fleet that failed.
    """

    api: Counter[tuple[str, int]] = field(default_factory=Counter)
    queries: Counter[tuple[str, str]] = field(default_factory=Counter)
    prometheus_errors: int = 0

    def count(self, verb: str, code: int) -> None:
        """One call of the API server; code 0 means that there was no answer."""
        self.api[verb, code] += 1


@dataclass(frozen=True, slots=True)
class Queue:
    """The work queue's figures; `depth` and `oldest` (seconds) by lane."""

    depth: dict[str, int]
    oldest: dict[str, float]
    outcomes: dict[str, int]
    seconds: float


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the figures come from. Every function answers at once.

    `watch_ages`: seconds since the view of each kind was last proved. `now`: Unix seconds.
    """

    calls: Calls
    queue: Callable[[], Queue]
    leading: Callable[[], bool]
    lag: Callable[[], float]
    watch_ages: Callable[[], Mapping[str, float]]
    now: Callable[[], float]
    witness: Witness = field(default_factory=Witness)
    outbox: Outbox | None = None


def families(parts: Parts) -> Iterator[Family]:
    """Every figure, newest values."""
    yield from _process(parts)
    queue = parts.queue()
    if not parts.leading():
        # A standby keeps what the watches told it, for the moment that it leads: nothing waits.
        idle = dict.fromkeys(queue.depth, 0)
        queue = replace(queue, depth=idle, oldest=dict.fromkeys(queue.oldest, 0.0))
    yield from _queue(queue)
    yield from _others(parts.calls)
    yield from _alerts(parts.outbox)
    witness = parts.witness
    text = "Decisions that were written down, by the reason of their Event."
    yield counted("merit_decisions_total", text, ("reason",), witness.decisions)
    text = "Verdicts that a stage of the flow turned to."
    yield counted("merit_verdicts_total", text, ("stage", "verdict"), witness.verdicts)
    text = "1 while an incident of the whole fleet holds what rests on scores."
    yield _gauge("merit_fleet_incident", text, float(witness.incident()))
    yield from objects(witness.objects, parts.now())


def _process(parts: Parts) -> Iterator[Family]:
    yield _gauge("merit_leader", "1 while this replica leads.", float(parts.leading()))
    yield _gauge("merit_loop_lag_seconds", "How late the event loop is.", parts.lag())
    ages: list[Sample] = [({"kind": kind}, age) for kind, age in sorted(parts.watch_ages().items())]
    text = "Since when the view of a kind was not proved by an event or a sweep."
    yield Family("merit_watch_age_seconds", "gauge", text, ages)


def _queue(queue: Queue) -> Iterator[Family]:
    depth: list[Sample] = [({"lane": lane}, float(n)) for lane, n in queue.depth.items()]
    yield Family("merit_queue_depth", "gauge", "Keys that are due and wait for a slot.", depth)
    oldest: list[Sample] = [({"lane": lane}, age) for lane, age in queue.oldest.items()]
    text = "How long the oldest of them is overdue."
    yield Family("merit_queue_oldest_seconds", "gauge", text, oldest)
    yield counted("merit_reconciles_total", "Reconciles by outcome.", ("outcome",), queue.outcomes)
    text = "Seconds spent in reconciles."
    yield Family("merit_reconcile_seconds_total", "counter", text, [({}, queue.seconds)])


def _others(calls: Calls) -> Iterator[Family]:
    text = "Calls of the API server; code 0: no answer."
    yield counted("merit_api_requests_total", text, ("verb", "code"), calls.api)
    text = "Queries of Prometheus by source of the configuration and outcome."
    yield counted("merit_prometheus_queries_total", text, ("source", "outcome"), calls.queries)
    text = "Looks at Prometheus that failed."
    errors: list[Sample] = [({}, float(calls.prometheus_errors))]
    yield Family("merit_prometheus_errors_total", "counter", text, errors)


def _alerts(outbox: Outbox | None) -> Iterator[Family]:
    if outbox is None:
        return
    delivery, now = outbox.delivery, outbox.now()
    firing: list[Sample] = [({"severity": s}, float(n)) for s, n in sorted(outbox.firing().items())]
    yield Family("merit_alerts_firing", "gauge", "Alerts of models that fire now.", firing)
    text = "Alerts that Alertmanager took, refreshed and resolved ones too."
    yield Family("merit_alerts_sent_total", "counter", text, [({}, float(delivery.sent))])
    text = "Requests to Alertmanager that failed."
    yield Family("merit_alerts_failed_total", "counter", text, [({}, float(delivery.failures))])
    since = delivery.failing_since
    text = "Since when alerts do not arrive; 0 if they do."
    yield _gauge("merit_alerts_failing_seconds", text, 0.0 if since is None else now - since)


def _gauge(name: str, text: str, value: float) -> Family:
    return Family(name, "gauge", text, [({}, value)])
