"""Drift: how far two distributions lie apart, and from how many samples on that means anything.

PSI, Jensen-Shannon and KS are effect sizes. The decision is PSI against its mark, corrected for the
size that it has without any drift at all; an error rate is stated only by the score of `binscore`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from merit.evidence.answers import Kind
from merit.evidence.bins import Histogram, coarse
from merit.evidence.sentences import count

Sensitivity = Literal["High", "Medium", "Low"]
SMOOTHING = 0.5  # observations added to every bin: an empty one must not be infinitely surprising
CURRENT_FLOOR, REFERENCE_FLOOR = 1000.0, 5000.0
WINDOWS = (3600.0, 6 * 3600.0, 24 * 3600.0)  # seconds: it widens while there are too few samples
IN_A_ROW = 3  # windows beyond the mark before anything responds
_Z_9999 = 3.719  # quantile of the normal distribution at 99.99 %


@dataclass(frozen=True, slots=True)
class Marks:
    """What counts as drift: PSI decides, the others say the same on their own scales.

    `shift`: the mean's shift in standard deviations that this amounts to on a normal score.
    """

    psi: float
    js: float
    ks: float
    shift: float


SENSITIVITIES: dict[Sensitivity, Marks] = {
    "High": Marks(psi=0.05, js=0.08, ks=0.09, shift=0.23),
    "Medium": Marks(psi=0.10, js=0.11, ks=0.13, shift=0.32),
    "Low": Marks(psi=0.20, js=0.155, ks=0.18, shift=0.45),
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
    bins: int
    n: float
    m: float


@dataclass(frozen=True, slots=True)
class Drift:
    """The answer for one window. `reason`: Drifted, InsideBars, TooFewSamples or EdgesChanged."""

    kind: Kind
    reason: str
    message: str
    distances: Distances | None = None


def distances(current: Histogram, reference: Histogram) -> Distances | None:
    """None if the bins of the two do not match, or one is empty."""
    edges = coarse(reference)
    now, then = current.onto(edges), reference.onto(edges)
    if now is None or then is None or now.n <= 0 or then.n <= 0:
        return None
    used = [(a, b) for a, b in zip(now.counts, then.counts, strict=True) if a or b]
    n, m, bins = now.n, then.n, len(used)
    p = [(a + SMOOTHING) / (n + SMOOTHING * bins) for a, _ in used]
    q = [(b + SMOOTHING) / (m + SMOOTHING * bins) for _, b in used]
    psi = sum((x - y) * math.log(x / y) for x, y in zip(p, q, strict=True))
    middle = [(x + y) / 2 for x, y in zip(p, q, strict=True)]
    js = 0.5 * (_divergence(p, middle) + _divergence(q, middle))
    apart, ks = 0.0, 0.0
    for a, b in used:
        apart += a / n - b / m
        ks = max(ks, abs(apart))
    return Distances(
        psi=max(0.0, psi - bias(bins, n, m)),
        js=math.sqrt(max(0.0, js)),
        ks=ks if now.ordered else None,
        largest=max(abs(a / n - b / m) for a, b in used),
        bins=bins,
        n=n,
        m=m,
    )


def bias(bins: int, n: float, m: float) -> float:
    """What PSI averages between two samples of one and the same distribution."""
    return (bins - 1) * (1 / n + 1 / m)


def enough(bins: int, psi: float) -> float:
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
    edges, marks = coarse(reference), SENSITIVITIES[sensitivity]
    if current.onto(edges) is None:
        message = "the histogram's edges differ from the baseline's; a new baseline is needed"
        return Drift("NoData", "EdgesChanged", message)
    floor = enough(len(edges), marks.psi)
    if current.n < floor or reference.n < reference_floor:
        message = (
            f"{count(current.n)} samples against {count(reference.n)}; "
            f"needs {count(floor)} against {count(reference_floor)}"
        )
        return Drift("NoData", "TooFewSamples", message)
    found = distances(current, reference)
    assert found is not None
    beyond = found.psi >= marks.psi
    ks = "" if found.ks is None else f", KS {found.ks:.2f}"
    message = (
        f"PSI {found.psi:.2f} {'>=' if beyond else '<'} {marks.psi:.2f} ({sensitivity}), "
        f"JS {found.js:.2f}{ks}; {count(found.n)} samples against {count(found.m)}"
    )
    if beyond:
        return Drift("Bad", "Drifted", message, found)
    return Drift("Good", "InsideBars", message, found)


def _divergence(p: list[float], q: list[float]) -> float:
    return sum(x * math.log(x / y) for x, y in zip(p, q, strict=True))
