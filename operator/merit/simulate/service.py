"""The simulated service: its bars, and the stable revision's shares of bad requests."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from merit.stats.signal import Bar

ERRORS = "errors"
USUAL_ERRORS, USUAL_SLOW = 0.1, 0.37  # parts of what the bars tolerate: well inside
SIGMA = math.log(10 / 3) / NormalDist().inv_cdf(0.99)  # of log latency: p99 is 10/3 of p50
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Service:
    """`shares`: the stable revision's share of bad requests, by the bar's name."""

    bars: tuple[Bar, ...]
    shares: Mapping[str, float]

    def share(self, bar: Bar) -> float:
        """The stable revision's share of bad requests by this bar."""
        return self.shares[bar.name]

    @property
    def strictest(self) -> Bar | None:
        """The latency bar that tolerates least."""
        return min((b for b in self.bars if b.latency), key=lambda b: b.limit, default=None)


def default_service(bars: Sequence[Bar]) -> Service:
    """A service with a tenth of the tolerated errors and a third of the tolerated slow requests."""
    return Service(
        tuple(bars),
        {bar.name: bar.limit * (USUAL_SLOW if bar.latency else USUAL_ERRORS) for bar in bars},
    )


def share_when_slower(share: float, factor: float) -> float:
    """The share beyond a latency bound if every answer takes `factor` times as long.

    Latency is assumed to be lognormal, with the 99th percentile at 10/3 of the median.
    """
    if factor == 1.0 or not 0 < share < 1:
        return share
    return 1 - _NORMAL.cdf(_NORMAL.inv_cdf(1 - share) - math.log(factor) / SIGMA)


def share_beyond(limit: float, ratio: float) -> float:
    """The share beyond a latency bound if its quantile is at `ratio` times the bound.

    `limit`: the share that the bound tolerates, 0.01 for a p99.
    """
    return 1 - _NORMAL.cdf(_NORMAL.inv_cdf(1 - limit) - math.log(ratio) / SIGMA)
