"""What /metrics shows of one object: numbers from a pass, none of them anybody's text. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from merit.api.defaults import effective
from merit.api.spec import Spec
from merit.api.status import Status
from merit.policy.signals.cost import price_of_pods
from merit.policy.signals.drift import psi_of_live
from merit.policy.signals.thresholds import queries
from merit.policy.state.counted_signals import counted_signals
from merit.policy.state.observed import Observed
from merit.policy.state.times import seconds
from merit.stats.counts import NoSample

_LATENCIES = frozenset({"latency/p50", "latency/p90", "latency/p95", "latency/p99"})
FIXED = frozenset({"errors", "cost", "kpi"}) | _LATENCIES


class Gauge(NamedTuple):
    """A signal: its value, its bar in the same unit, and how much of the bar it uses up."""

    value: float
    bar: float
    used: float


@dataclass(frozen=True, slots=True)
class Gauges:
    """One object as the last pass left it.

    `phase`: one word. `weight`: percent that the candidate is meant to have. `evidence`, `mark`:
    nats of evidence that the candidate is worse, and how many reject it; None without a candidate.
    `observed`: Unix seconds (of Prometheus) of the newest sample that was turned into evidence.
    `signals`: of what serves, by label: a share of bad requests, or the value as it is.
    `hourly`: what all its replicas cost, in the price book's currency.
    """

    phase: str
    weight: int = 0
    evidence: float | None = None
    mark: float | None = None
    observed: float | None = None
    trusted: bool | None = None
    signals: Mapping[str, Gauge] = field(default_factory=dict)
    hourly: float | None = None


def gauges(seen: Observed, status: Status) -> Gauges:
    """The numbers of an object. `status`: as the pass leaves it."""
    candidate, analysis, trusted = status.candidate, status.analysis, status.condition("Trusted")
    accepted, book = seen.record(candidate), seen.tuning.prices
    # of every replica that is wanted now, whichever revision it belongs to
    price = price_of_pods(seen, book, lambda pods: pods.desired) if book is not None else None
    hourly = float(price) if price is not None else None
    return Gauges(
        phase=status.phase.partition(" ")[0] or "Pending",
        weight=candidate.weight if candidate else 0,
        evidence=float(analysis.evidence) if accepted and analysis else None,
        mark=-math.log(1 - effective(accepted.spec).confidence) if accepted and analysis else None,
        observed=seconds(analysis.consumed_until) or None if analysis else None,
        trusted={"True": True, "False": False}.get(trusted.status) if trusted else None,
        signals=_signals(seen, status, hourly),
        hourly=hourly,
    )


def signal_label(name: str) -> str:
    """A signal's name without a word of the user's: what he named himself goes by its kind."""
    if name in FIXED:
        return name
    return "drift" if name.startswith("drift/") else "custom"


def _signals(seen: Observed, status: Status, hourly: float | None) -> dict[str, Gauge]:
    accepted = seen.record(status.stable)
    if accepted is None:
        return {}
    spec = accepted.spec
    limits = {signal.name: signal.limit for signal in counted_signals(spec)}
    shares = (
        (n, f.share, limits[n]) for n, f in seen.measurements.figures.items() if n in limits and f.n
    )
    found = [(name, _below(value, bar)) for name, value, bar in shares]
    found += [(name, _below(value, bar)) for name, value, bar in psi_of_live(seen, status, spec)]
    found += _thresholds(seen, spec)
    bound = spec.constraints.cost.per_hour if spec.constraints.cost else None
    if bound is not None and hourly is not None:
        found.append(("cost", _below(hourly, float(bound))))
    kept: dict[str, Gauge] = {}
    for name, gauge in found:
        label = signal_label(name)
        if label not in kept or gauge.used > kept[label].used:
            kept[label] = gauge
    return kept


def _thresholds(seen: Observed, spec: Spec) -> Iterator[tuple[str, Gauge]]:
    for name, query in queries(spec):
        readings = seen.measurements.readings.get(name)
        if not readings or isinstance(readings, NoSample):
            continue
        value = readings[-1][1]
        if query.max is not None:
            yield name, _below(value, float(query.max))
        elif query.min is not None:
            least = float(query.min)
            yield name, Gauge(value, least, least / value if value > 0 else math.inf)


def _below(value: float, most: float) -> Gauge:
    return Gauge(value, most, value / most if most > 0 else math.inf if value > 0 else 0.0)
