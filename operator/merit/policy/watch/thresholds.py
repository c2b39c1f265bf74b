"""Signals without counts: the goal's KPI and users' own queries, judged by thresholds.

A number says nothing of the requests behind it, so no error rate is stated, and it never adds to
the evidence about a candidate: at most it holds the next step. `never` has the one exception.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from decimal import Decimal

from merit.api.monitoring import CustomSignal, Kpi
from merit.api.spec import Spec
from merit.api.status import Signal
from merit.evidence.counts import NoSample
from merit.evidence.streak import Streak, Threshold
from merit.policy.observed import Observed, Readings

KPI = "kpi"
PREFIX = "signals/"


def asked(spec: Spec) -> Iterator[tuple[str, Kpi | CustomSignal]]:
    """The queries of a spec by the names of their signals."""
    if spec.goal.kpi is not None:
        yield KPI, spec.goal.kpi
    for signal in (spec.monitoring.signals if spec.monitoring else None) or ():
        yield f"{PREFIX}{signal.name}", signal


def threshold_signals(seen: Observed, spec: Spec) -> tuple[Signal, ...]:
    """What each query says: Bad once its value was beyond the bar long enough."""
    patience = seen.tuning.constants.patience
    return tuple(
        remembered(seen, name, query)
        or _signal(name, query, seen.readings.get(name), patience).model_copy(
            update={"query": digest(query)}
        )
        for name, query in asked(spec)
    )


def remembered(seen: Observed, name: str, query: Kpi | CustomSignal) -> Signal | None:
    """What status has of this query, while this process has not asked it yet."""
    readings = seen.readings.get(name)
    if not isinstance(readings, NoSample) or readings.reason != "Unobserved":
        return None
    return known(seen, name, query)


def known(seen: Observed, name: str, query: Kpi | CustomSignal) -> Signal | None:
    """What status says of this very query and bar; None if it tells of another."""
    ours = (name, digest(query), _bar(query))
    return next((s for s in seen.status.signals if (s.name, s.query, s.bar) == ours), None)


def digest(query: Kpi | CustomSignal) -> str:
    """Tells a query from another of the same name."""
    return hashlib.sha256(query.query.encode()).hexdigest()[:8]


def _signal(
    name: str, query: Kpi | CustomSignal, readings: Readings | None, patience: float
) -> Signal:
    bar = _bar(query)
    if readings is None or isinstance(readings, NoSample) or not readings:
        why = readings.message if isinstance(readings, NoSample) else "not asked yet"
        return Signal(name=name, value=why, bar=bar, verdict="NoData")
    threshold = threshold_of(query)
    streak = Streak()
    for at, value in readings:
        streak = streak.look(threshold.beyond(value), at)
    newest = f"{readings[-1][1]:.4g}"
    if streak.breaks(threshold, patience):
        return Signal(name=name, value=newest, bar=bar, verdict="Bad")
    verdict = "Undecided" if streak.looks else "Good"
    return Signal(name=name, value=newest, bar=bar, verdict=verdict)


def threshold_of(query: Kpi | CustomSignal) -> Threshold:
    """The bar of a query."""
    return Threshold(_float(query.min), _float(query.max))


def _bar(query: Kpi | CustomSignal) -> str:
    sides = []
    if query.min is not None:
        sides.append(f">= {query.min}")
    if query.max is not None:
        sides.append(f"<= {query.max}")
    return f"{' and '.join(sides)} (a threshold, without an error rate)"


def _float(bound: Decimal | None) -> float | None:
    return None if bound is None else float(bound)
