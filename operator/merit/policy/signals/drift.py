"""Drift of a live revision against its baseline, and of a candidate against stable. Pure.

A live revision needs three bad windows in a row; a candidate is compared with stable in the same
minutes, by an e-process with a stated error rate.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

from merit.api.defaults import effective
from merit.api.live_status import DriftState
from merit.api.monitoring import Drift
from merit.api.spec import Spec
from merit.api.status import Signal, Status
from merit.policy.signals.baselines import (
    baseline_of,
    burn_in_of,
    declared_drifts,
    new_baseline,
    with_baselines,
    with_known_baselines,
)
from merit.policy.state.measurements import Distribution, Pair
from merit.policy.state.observed import Observed
from merit.policy.state.times import seconds, stamp
from merit.stats.burn_in import SAMPLES
from merit.stats.counts import NoSample
from merit.stats.drift import (
    CONSECUTIVE_WINDOWS,
    CURRENT_FLOOR,
    SENSITIVITIES,
    Sensitivity,
    distances,
    judge,
)
from merit.stats.drift import Drift as DriftAnswer
from merit.stats.histogram import Histogram, restored

PREFIX = "drift/"
APART = 0.95  # of a window must have passed since the last one: windows do not overlap
DEFAULT: Sensitivity = "Medium"


def with_drift(seen: Observed, status: Status, now: float) -> Status:
    """Status with baselines that are complete now, and with this window of what serves."""
    stable = status.stable
    accepted = seen.record(stable)
    if stable is None or accepted is None:
        return status
    for drift in declared_drifts(accepted.spec):
        measured = seen.measurements.distributions.get(drift.name)
        if not isinstance(measured, Distribution):
            continue
        baseline = baseline_of(status, drift.name, stable.short)
        if baseline is None:
            burn_in = burn_in_of(measured, seconds(stable.promoted_at))
            if burn_in is not None:
                new = new_baseline(drift.name, stable.short, "BurnIn", burn_in)
                new = new.model_copy(update={"last": stamp(measured.at)})
                status = with_baselines(status, new)
            continue
        window, answer = _judged(drift, measured, baseline)
        apart = measured.at >= seconds(baseline.last) + APART * window
        if answer.kind in ("Good", "Bad") and apart:
            beyond = baseline.beyond + 1 if answer.kind == "Bad" else 0
            counted = baseline.model_copy(update={"beyond": beyond, "last": stamp(measured.at)})
            status = with_baselines(status, counted)
    return with_known_baselines(status)


def drift_signals(
    seen: Observed, status: Status, spec: Spec, *, canary: bool
) -> tuple[Signal, ...]:
    """The signal of each declared drift."""
    if canary:
        return tuple(_against_stable(drift, seen, spec) for drift in declared_drifts(spec))
    short = status.stable.short if status.stable else ""
    return tuple(
        _against_baseline(
            drift,
            seen.measurements.distributions.get(drift.name),
            baseline_of(status, drift.name, short),
        )
        for drift in declared_drifts(spec)
    )


def psi_of_live(seen: Observed, status: Status, spec: Spec) -> Iterator[tuple[str, float, float]]:
    """For each declared drift of what serves that has a value: name, PSI, and its threshold."""
    short = status.stable.short if status.stable else ""
    for drift in declared_drifts(spec):
        measured = seen.measurements.distributions.get(drift.name)
        baseline = baseline_of(status, drift.name, short)
        if isinstance(measured, Distribution) and baseline is not None:
            _, answer = _judged(drift, measured, baseline)
            if answer.distances is not None:
                threshold = SENSITIVITIES[drift.sensitivity or DEFAULT].psi
                yield f"{PREFIX}{drift.name}", answer.distances.psi, threshold


def _against_baseline(
    drift: Drift, measured: Distribution | NoSample | None, baseline: DriftState | None
) -> Signal:
    name, sensitivity = f"{PREFIX}{drift.name}", drift.sensitivity or DEFAULT
    bar = f"PSI {SENSITIVITIES[sensitivity].psi:g} ({sensitivity})"
    if not isinstance(measured, Distribution):
        why = measured.message if measured is not None else "not asked yet"
        return Signal(name=name, value=why, bar=bar, verdict="NoData")
    if baseline is None:
        n = max((h.n for h in measured.windows.values()), default=0.0)
        why = f"burn-in: {n:,.0f} of {SAMPLES:,.0f} samples, or a day"
        return Signal(name=name, value=why, bar=bar, n=round(n), verdict="NoData")
    window, answer = _judged(drift, measured, baseline)
    enough = answer.reason in ("TooFewSamples", "Drifted", "InsideBars")  # else it is unreadable
    n = round(measured.windows[window].n) if enough and window in measured.windows else 0
    if answer.kind != "Bad":
        return Signal(name=name, value=answer.message, bar=bar, n=n, verdict=answer.kind)
    most, beyond = CONSECUTIVE_WINDOWS, baseline.beyond
    value = f"{answer.message}; {min(beyond, most)} of {most} windows in a row"
    verdict = "Bad" if beyond >= most else "Undecided"
    return Signal(name=name, value=value, bar=bar, n=n, verdict=verdict)


def _judged(
    drift: Drift, measured: Distribution, baseline: DriftState
) -> tuple[float, DriftAnswer]:
    """The shortest window with enough samples, else the longest, and its answer."""
    histogram, sensitivity = baseline.histogram, drift.sensitivity or DEFAULT
    edges, counts = tuple(histogram.get("edges", ())), str(histogram.get("counts"))
    window, answer = 0.0, DriftAnswer("NoData", "TooFewSamples", "no samples")
    for window in sorted(measured.windows):
        answer = _compared(measured.windows[window], edges, counts, sensitivity)
        if answer.kind != "NoData" or answer.reason == "EdgesChanged":
            break
    return window, answer


@lru_cache(maxsize=4096)
def _compared(
    current: Histogram, edges: tuple[float | str, ...], counts: str, sensitivity: Sensitivity
) -> DriftAnswer:
    """As `judge`, computed once for each new reading instead of in every pass."""
    try:
        reference = restored({"edges": edges, "counts": counts})
    except (ValueError, TypeError):
        return DriftAnswer("NoData", "EdgesChanged", "the baseline on record cannot be read")
    return judge(current, reference, sensitivity)


def _against_stable(drift: Drift, seen: Observed, spec: Spec) -> Signal:
    name, pair = f"{PREFIX}{drift.name}", seen.measurements.pairs.get(drift.name)
    confidence = effective(spec).confidence
    bar = f"as stable in the same minutes, {confidence:.0%}"
    if drift.of == "Features":
        why = "both revisions see the same inputs; watched after the promotion"
        return Signal(name=name, value=why, bar=bar, verdict="NoData")
    if not isinstance(pair, Pair):
        why = pair.message if pair is not None else "not asked yet"
        return Signal(name=name, value=why, bar=bar, verdict="NoData")
    n = round(pair.candidate.n)
    apart = distances(pair.candidate, pair.stable)
    psi = f"PSI {apart.psi:.2f} to stable" if apart else "no overlap of bins"
    if pair.log_e >= -math.log(1 - confidence):
        sure = f"{1 - math.exp(-min(pair.log_e, 30.0)):.2%} sure"
        return Signal(name=name, value=f"{psi}, {sure}", bar=bar, n=n, verdict="Bad")
    if pair.candidate.n < CURRENT_FLOOR:
        why = f"{pair.candidate.n:,.0f} of {CURRENT_FLOOR:,.0f} samples"
        return Signal(name=name, value=why, bar=bar, n=n, verdict="NoData")
    return Signal(name=name, value=psi, bar=bar, n=n, verdict="Good")
