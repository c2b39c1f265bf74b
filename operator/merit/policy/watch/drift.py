"""Drift of a live revision against its baseline, and of a candidate against stable. Pure.

Live windows respond only three in a row; a candidate is compared in the same minutes, by a score
with a stated error rate.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

from merit.api.defaults import effective
from merit.api.monitoring import Drift
from merit.api.spec import Spec
from merit.api.status import Signal, Status
from merit.api.watched import DriftState
from merit.evidence.baseline import SAMPLES
from merit.evidence.bins import Histogram, restored
from merit.evidence.counts import NoSample
from merit.evidence.drift import (
    CURRENT_FLOOR,
    IN_A_ROW,
    SENSITIVITIES,
    Sensitivity,
    distances,
    judge,
)
from merit.evidence.drift import Drift as Found
from merit.policy.canary.case import case_of
from merit.policy.canary.measured import take_back
from merit.policy.decision import Decision
from merit.policy.observed import Distribution, Observed, Pair
from merit.policy.responses import effects
from merit.policy.times import seconds, stamp
from merit.policy.verdict import Verdict
from merit.policy.watch.baselines import (
    beginning,
    drifts,
    fresh_state,
    pruned,
    state_of,
    with_states,
)

PREFIX = "drift/"
APART = 0.95  # of a window must have passed since the one before: they do not overlap
DEFAULT: Sensitivity = "Medium"


def with_drift(seen: Observed, status: Status, now: float) -> Status:
    """Status with baselines that are complete now, and with this look at what serves."""
    stable = status.stable
    accepted = seen.accepted.get(f"{stable.short}-{stable.policy}") if stable else None
    if stable is None or accepted is None:
        return status
    for drift in drifts(accepted.spec):
        found = seen.distributions.get(drift.name)
        if not isinstance(found, Distribution):
            continue
        state = state_of(status, drift.name, stable.short)
        if state is None:
            began = seconds(stable.promoted_at)
            frozen = beginning(found, began)
            if frozen is not None:
                fresh = fresh_state(drift.name, stable.short, "BurnIn", frozen)
                status = with_states(status, fresh.model_copy(update={"last": stamp(found.at)}))
            continue
        window, answer = _judged(drift, found, state)
        if answer.kind in ("Good", "Bad") and found.at >= seconds(state.last) + APART * window:
            beyond = state.beyond + 1 if answer.kind == "Bad" else 0
            looked = state.model_copy(update={"beyond": beyond, "last": stamp(found.at)})
            status = with_states(status, looked)
    return pruned(status)


def drift_signals(
    seen: Observed, status: Status, spec: Spec, *, canary: bool
) -> tuple[Signal, ...]:
    """What is told of each declared drift."""
    if canary:
        return tuple(_against_stable(drift, seen, spec) for drift in drifts(spec))
    short = status.stable.short if status.stable else ""
    return tuple(
        _against_baseline(
            drift, seen.distributions.get(drift.name), state_of(status, drift.name, short)
        )
        for drift in drifts(spec)
    )


def measured(seen: Observed, status: Status, spec: Spec) -> Iterator[tuple[str, float, float]]:
    """For each declared drift of what serves that can be told: name, PSI, and its mark."""
    short = status.stable.short if status.stable else ""
    for drift in drifts(spec):
        found, state = seen.distributions.get(drift.name), state_of(status, drift.name, short)
        if isinstance(found, Distribution) and state is not None:
            _, answer = _judged(drift, found, state)
            if answer.distances is not None:
                mark = SENSITIVITIES[drift.sensitivity or DEFAULT].psi
                yield f"{PREFIX}{drift.name}", answer.distances.psi, mark


def judge_drift(seen: Observed, now: float) -> Decision | None:
    """A candidate that predicts otherwise than stable, where its failure mode says Rollback."""
    case = case_of(seen)
    if case is None or case.candidate.weight == 0:
        return None
    for signal in drift_signals(seen, seen.status, case.accepted.spec, canary=True):
        takes_back = effects(case.accepted.spec, signal.name, "candidate").takes_back
        if signal.verdict == "Bad" and takes_back:
            said = f"{signal.name}: {signal.value}"
            return take_back(case, Verdict("Bad", "PredictionsShifted", said), now)
    return None


def _against_baseline(
    drift: Drift, found: Distribution | NoSample | None, state: DriftState | None
) -> Signal:
    name = f"{PREFIX}{drift.name}"
    marks = SENSITIVITIES[drift.sensitivity or DEFAULT]
    bar = f"PSI {marks.psi:g} ({drift.sensitivity or DEFAULT})"
    if not isinstance(found, Distribution):
        why = found.message if found is not None else "not asked yet"
        return Signal(name=name, value=why, bar=bar, verdict="NoData")
    if state is None:
        n = max((h.n for h in found.windows.values()), default=0.0)
        why = f"burn-in: {n:,.0f} of {SAMPLES:,.0f} samples, or a day"
        return Signal(name=name, value=why, bar=bar, n=round(n), verdict="NoData")
    _, answer = _judged(drift, found, state)
    n = round(answer.distances.n) if answer.distances else 0
    if answer.kind != "Bad":
        return Signal(name=name, value=answer.message, bar=bar, n=n, verdict=answer.kind)
    lasting = state.beyond >= IN_A_ROW
    value = f"{answer.message}; {min(state.beyond, IN_A_ROW)} of {IN_A_ROW} windows in a row"
    return Signal(name=name, value=value, bar=bar, n=n, verdict="Bad" if lasting else "Undecided")


def _judged(drift: Drift, found: Distribution, state: DriftState) -> tuple[float, Found]:
    """The shortest window with enough samples, else the longest, and its answer."""
    edges, counts = tuple(state.histogram.get("edges", ())), str(state.histogram.get("counts"))
    window, answer = 0.0, Found("NoData", "TooFewSamples", "no samples")
    for window in sorted(found.windows):
        answer = _compared(found.windows[window], edges, counts, drift.sensitivity or DEFAULT)
        if answer.kind != "NoData" or answer.reason == "EdgesChanged":
            break
    return window, answer


@lru_cache(maxsize=4096)
def _compared(
    current: Histogram, edges: tuple[float | str, ...], counts: str, sensitivity: Sensitivity
) -> Found:
    """As `judge`, once for each new reading rather than in every pass."""
    try:
        reference = restored({"edges": edges, "counts": counts})
    except (ValueError, TypeError):
        return Found("NoData", "EdgesChanged", "the baseline on record cannot be read")
    return judge(current, reference, sensitivity)


def _against_stable(drift: Drift, seen: Observed, spec: Spec) -> Signal:
    name, pair = f"{PREFIX}{drift.name}", seen.pairs.get(drift.name)
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
