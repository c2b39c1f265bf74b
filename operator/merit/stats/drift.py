"""Drift: how far two distributions lie apart, and from how many samples on that means anything.

The population stability index (PSI), the Jensen-Shannon distance and the Kolmogorov-Smirnov
distance are effect sizes. PSI decides, corrected for the size that it has without any drift; an
error rate is stated only by `bin_e_process`.
Sources: docs/concepts/statistics.md, "Drift" (Lewis; Yurdakul; Lin; Wilson and Hilferty).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from merit.stats.histogram import Histogram, coarse_edges
from merit.stats.sentences import count

Sensitivity = Literal["High", "Medium", "Low"]
SMOOTHING = 0.5  # observations added to every bin: PSI of an empty bin would be infinite
CURRENT_FLOOR, REFERENCE_FLOOR = 1000.0, 5000.0
WINDOWS = (3600.0, 6 * 3600.0, 24 * 3600.0)  # seconds: it widens while there are too few samples
CONSECUTIVE_WINDOWS = 3  # beyond the threshold before anything responds
_Z_9999 = 3.719  # quantile of the normal distribution at 99.99 %


@dataclass(frozen=True, slots=True)
class DriftThresholds:
    """What counts as drift: PSI decides, the others say the same on their own scales.

    `shift`: the mean's shift in standard deviations that this amounts to on a normal score.
    """

    psi: float
    js: float
    ks: float
    shift: float


SENSITIVITIES: dict[Sensitivity, DriftThresholds] = {
    "High": DriftThresholds(psi=0.05, js=0.08, ks=0.09, shift=0.23),
    "Medium": DriftThresholds(psi=0.10, js=0.11, ks=0.13, shift=0.32),
    "Low": DriftThresholds(psi=0.20, js=0.155, ks=0.18, shift=0.45),
}


@dataclass(frozen=True, slots=True)
class Distances:
    """Between a current and a reference distribution.

    `psi`: corrected for bias, >= 0. `js`: Jensen-Shannon distance, natural logarithm. `ks`: largest
    difference of cumulative shares, on bins a lower bound; None for classes, which have no order.
    `largest`: largest difference of one bin's shares. `n`, `m`: samples, current and reference.
    """

    psi: float
    js: float
    ks: float | None
    largest: float
    n: float
    m: float


@dataclass(frozen=True, slots=True)
class Drift:
    """The answer for one window. `reason`: Drifted, InsideBars, TooFewSamples or EdgesChanged."""

    kind: Literal["Good", "Bad", "NoData"]
    reason: str
    message: str
    distances: Distances | None = None


def distances(current: Histogram, reference: Histogram) -> Distances | None:
    """None if the bins of the two do not match, or one is empty."""
    edges = coarse_edges(reference)
    now, then = current.rebinned(edges), reference.rebinned(edges)
    if now is None or then is None or now.n <= 0 or then.n <= 0:
        return None
    used = [(a, b) for a, b in zip(now.counts, then.counts, strict=True) if a or b]
    n, m, bins = now.n, then.n, len(used)
    p = [(a + SMOOTHING) / (n + SMOOTHING * bins) for a, _ in used]
    q = [(b + SMOOTHING) / (m + SMOOTHING * bins) for _, b in used]
    psi = sum((x - y) * math.log(x / y) for x, y in zip(p, q, strict=True))
    middle = [(x + y) / 2 for x, y in zip(p, q, strict=True)]
    js = 0.5 * (_divergence(p, middle) + _divergence(q, middle))
    cumulative, ks = 0.0, 0.0
    for a, b in used:
        cumulative += a / n - b / m
        ks = max(ks, abs(cumulative))
    return Distances(
        psi=max(0.0, psi - bias(bins, n, m)),
        js=math.sqrt(max(0.0, js)),
        ks=ks if now.ordered else None,
        largest=max(abs(a / n - b / m) for a, b in used),
        n=n,
        m=m,
    )


def bias(bins: int, n: float, m: float) -> float:
    """The mean of PSI between two samples of one and the same distribution (Yurdakul)."""
    return (bins - 1) * (1 / n + 1 / m)


def minimum_samples(bins: int, psi: float) -> float:
    """Current samples from which a window without drift exceeds `psi` in 1 of 10,000 at most."""
    k = max(1, bins - 1)
    part = 2 / (9 * k)
    chi_squared = k * (1 - part + _Z_9999 * math.sqrt(part)) ** 3
    return max(CURRENT_FLOOR, math.ceil(chi_squared / psi))


def judge(
    current: Histogram,
    reference: Histogram,
    sensitivity: Sensitivity,
    *,
    reference_floor: float = REFERENCE_FLOOR,
) -> Drift:
    """One window against its baseline. Below the floors there is no data, neither good nor bad."""
    edges, thresholds = coarse_edges(reference), SENSITIVITIES[sensitivity]
    if current.rebinned(edges) is None:
        message = "the histogram's edges differ from the baseline's; a new baseline is needed"
        return Drift("NoData", "EdgesChanged", message)
    floor = minimum_samples(len(edges), thresholds.psi)
    if current.n < floor or reference.n < reference_floor:
        message = (
            f"{count(current.n)} samples against {count(reference.n)}; "
            f"needs {count(floor)} against {count(reference_floor)}"
        )
        return Drift("NoData", "TooFewSamples", message)
    measured = distances(current, reference)
    assert measured is not None
    beyond = measured.psi >= thresholds.psi
    ks = "" if measured.ks is None else f", KS {measured.ks:.2f}"
    message = (
        f"PSI {measured.psi:.2f} {'>=' if beyond else '<'} {thresholds.psi:.2f} ({sensitivity}), "
        f"JS {measured.js:.2f}{ks}; {count(measured.n)} samples against {count(measured.m)}"
    )
    if beyond:
        return Drift("Bad", "Drifted", message, measured)
    return Drift("Good", "InsideBars", message, measured)


def _divergence(p: list[float], q: list[float]) -> float:
    return sum(x * math.log(x / y) for x, y in zip(p, q, strict=True))
