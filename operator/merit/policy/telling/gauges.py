"""What /metrics shows of one object: numbers from a pass, none of them anybody's text. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from merit.api.defaults import effective
from merit.api.spec import Spec
from merit.api.status import Status
from merit.evidence.cost import Unpriced, unit_price
from merit.evidence.counts import NoSample
from merit.policy.observed import Accepted, Observed
from merit.policy.signals import declared
from merit.policy.times import seconds
from merit.policy.watch.drift import measured
from merit.policy.watch.thresholds import asked

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
    candidate = status.candidate
    accepted = seen.accepted.get(f"{candidate.short}-{candidate.policy}") if candidate else None
    analysis = status.analysis or {}
    trusted, hourly = status.condition("Trusted"), _hourly(seen)
    return Gauges(
        phase=status.phase.partition(" ")[0] or "Pending",
        weight=candidate.weight if candidate else 0,
        evidence=_number(analysis.get("evidence")) if accepted else None,
        mark=-math.log(1 - effective(accepted.spec).confidence) if accepted and analysis else None,
        observed=seconds(str(analysis.get("consumedUntil") or "")) or None,
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
    stable = status.stable
    accepted = seen.accepted.get(f"{stable.short}-{stable.policy}") if stable else None
    if accepted is None:
        return {}
    spec = accepted.spec
    limits = {signal.name: signal.limit for signal in declared(spec)}
    shares = ((n, f.share, limits[n]) for n, f in seen.figures.items() if n in limits and f.n)
    found = [(name, _below(value, bar)) for name, value, bar in shares]
    found += [(name, _below(value, bar)) for name, value, bar in measured(seen, status, spec)]
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
    for name, query in asked(spec):
        readings = seen.readings.get(name)
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


def _hourly(seen: Observed) -> float | None:
    """The price of every replica that is wanted now, whichever revision it belongs to."""
    book = seen.tuning.prices
    if book is None:
        return None
    total = Decimal(0)
    by_short = {accepted.identity.short: accepted for accepted in seen.accepted.values()}
    for arm in seen.arms.values():
        accepted: Accepted | None = by_short.get(arm.short)
        price = unit_price(accepted.spec.serving.template, book) if accepted else None
        if price is None or isinstance(price, Unpriced):
            return None  # a part of a price would look like all of it
        total += price * arm.desired
    return float(total)


def _number(text: object) -> float | None:
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
