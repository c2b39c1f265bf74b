"""Signals without counts: the goal's KPI and users' own queries, judged by thresholds.

The number of requests behind a value is not known, so no error rate is stated, and a value never
adds to the evidence about a candidate: at most it holds the next step. `live.zero_tolerance` is the
one exception.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from decimal import Decimal

from merit.api.monitoring import CustomSignal, Kpi
from merit.api.spec import Spec
from merit.api.status import Signal
from merit.policy.state.measurements import Readings
from merit.policy.state.observed import Observed
from merit.stats.counts import NoSample
from merit.stats.streak import Streak, Threshold

KPI = "kpi"
CUSTOM_PREFIX = "signals/"


def queries(spec: Spec) -> Iterator[tuple[str, Kpi | CustomSignal]]:
    """The queries of a spec by the names of their signals."""
    if spec.goal.kpi is not None:
        yield KPI, spec.goal.kpi
    for signal in (spec.monitoring.signals if spec.monitoring else None) or ():
        yield f"{CUSTOM_PREFIX}{signal.name}", signal


def threshold_signals(seen: Observed, spec: Spec) -> tuple[Signal, ...]:
    """The signal of each query: Bad once its value was beyond the bar long enough.

    Until this process has sent a query, the signal stays as status has it.
    """
    patience = seen.tuning.constants.patience
    signals = []
    for name, query in queries(spec):
        readings, old = seen.measurements.readings.get(name), None
        if isinstance(readings, NoSample) and readings.reason == "Unobserved":
            old = remembered_signal(seen, name, query)
        new = _signal(name, query, readings, patience)
        signals.append(old or new.model_copy(update={"query": query_digest(query)}))
    return tuple(signals)


def remembered_signal(seen: Observed, name: str, query: Kpi | CustomSignal) -> Signal | None:
    """The signal in status, if it is of this very query and bar."""
    same = (name, query_digest(query), _bar(query))
    return next((s for s in seen.status.signals if (s.name, s.query, s.bar) == same), None)


def query_digest(query: Kpi | CustomSignal) -> str:
    """8 hex digits that distinguish a query from another of the same name."""
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
        streak = streak.add(threshold.beyond(value), at)
    newest = f"{readings[-1][1]:.4g}"
    if streak.breaks(threshold, patience):
        return Signal(name=name, value=newest, bar=bar, verdict="Bad")
    verdict = "Undecided" if streak.values else "Good"
    return Signal(name=name, value=newest, bar=bar, verdict=verdict)


def threshold_of(query: Kpi | CustomSignal) -> Threshold:
    """The bar of a query."""
    return Threshold(_float(query.min), _float(query.max))


def _bar(query: Kpi | CustomSignal) -> str:
    bounds = ((">=", query.min), ("<=", query.max))
    sides = [f"{sign} {bound}" for sign, bound in bounds if bound is not None]
    return f"{' and '.join(sides)} (a threshold, without an error rate)"


def _float(bound: Decimal | None) -> float | None:
    return None if bound is None else float(bound)
