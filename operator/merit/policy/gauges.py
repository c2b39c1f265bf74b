"""What /metrics shows of one object: numbers from a pass, none of them anybody's text. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from merit.api.defaults import effective
from merit.api.status import Status
from merit.evidence.cost import Unpriced, unit_price
from merit.policy.observed import Accepted, Observed
from merit.policy.signals import declared
from merit.policy.times import seconds

_LATENCIES = frozenset({"latency/p50", "latency/p90", "latency/p95", "latency/p99"})
FIXED = frozenset({"errors", "cost", "kpi"}) | _LATENCIES


@dataclass(frozen=True, slots=True)
class Gauges:
    """One object as the last pass left it.

    `phase`: one word. `weight`: percent that the candidate is meant to have. `evidence`, `mark`:
    nats of evidence that the candidate is worse, and how many reject it; None without a candidate.
    `observed`: Unix seconds (of Prometheus) of the newest sample that was turned into evidence.
    `signals`: share of bad requests, or the value as it is, and the bar of the same unit.
    `hourly`: what all its replicas cost, in the price book's currency.
    """

    phase: str
    weight: int = 0
    evidence: float | None = None
    mark: float | None = None
    observed: float | None = None
    trusted: bool | None = None
    signals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    hourly: float | None = None


def gauges(seen: Observed, status: Status) -> Gauges:
    """The numbers of an object. `status`: as the pass leaves it."""
    candidate = status.candidate
    accepted = seen.accepted.get(f"{candidate.short}-{candidate.policy}") if candidate else None
    analysis = status.analysis or {}
    trusted = status.condition("Trusted")
    return Gauges(
        phase=status.phase.partition(" ")[0] or "Pending",
        weight=candidate.weight if candidate else 0,
        evidence=_number(analysis.get("evidence")) if accepted else None,
        mark=-math.log(1 - effective(accepted.spec).confidence) if accepted and analysis else None,
        observed=seconds(str(analysis.get("consumedUntil") or "")) or None,
        trusted={"True": True, "False": False}.get(trusted.status) if trusted else None,
        signals=_signals(seen, status),
        hourly=_hourly(seen),
    )


def signal_label(name: str) -> str:
    """A signal's name without a word of the user's: what he named himself goes by its kind."""
    if name in FIXED:
        return name
    return "drift" if name.startswith("drift/") else "custom"


def _signals(seen: Observed, status: Status) -> dict[str, tuple[float, float]]:
    stable = status.stable
    accepted = seen.accepted.get(f"{stable.short}-{stable.policy}") if stable else None
    if accepted is None:
        return {}
    limits = {signal.name: signal.limit for signal in declared(accepted.spec)}
    known = ((n, f.share, limits[n]) for n, f in seen.figures.items() if n in limits and f.n)
    return _worst(known)


def _worst(found: Iterable[tuple[str, float, float]]) -> dict[str, tuple[float, float]]:
    """By label; of several with one label the one that is furthest beyond its bar."""
    kept: dict[str, tuple[float, float]] = {}
    for name, value, bar in found:
        label = signal_label(name)
        if label not in kept or value * kept[label][1] > kept[label][0] * bar:
            kept[label] = (value, bar)
    return kept


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
