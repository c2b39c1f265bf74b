"""Raw samples of the last minutes, and the increases that are read from them. Pure.

The unit of differencing is (scrape target, series). Whatever is not known to be new traffic is a
baseline: an increase is never larger than the truth.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from merit.evidence.counts import Counts
from merit.metrics.answer import Series

Points = tuple[tuple[float, float], ...]
Target = tuple[str, str]  # job, instance
SAME = 0.0005  # seconds: two timestamps in milliseconds that are the same


class TwoSeries(Exception):
    """One target has two series for one arm and one class: nobody knows which one is true."""


@dataclass(slots=True)
class Metric:
    """One metric of the whole fleet: arm -> (target, key) -> samples, with key a class or an edge.

    `first_seen`: when each target's first sample in the window was taken, whatever the arm.
    """

    arms: dict[str, dict[tuple[Target, str], Points]] = field(default_factory=dict)
    first_seen: dict[Target, float] = field(default_factory=dict)

    @classmethod
    def of(cls, series: Iterable[Series], *, arm: str, key: str | None) -> Metric:
        """From an answer; `arm` and `key` are the labels that tell arm and class apart."""
        metric = cls()
        for one in series:
            if not one.samples or arm not in one.labels:
                continue
            target = (one.labels.get("job", ""), one.labels.get("instance", ""))
            place = (target, one.labels.get(key, "") if key else "")
            held = metric.arms.setdefault(one.labels[arm], {})
            held[place] = () if place in held else one.samples  # () marks two of a kind
            begun = metric.first_seen.get(target)
            first = one.samples[0][0]
            metric.first_seen[target] = first if begun is None else min(begun, first)
        return metric

    def newest(self, arms: Iterable[str]) -> dict[Target, float]:
        """The time of each target's newest sample about any of these arms."""
        times: dict[Target, float] = {}
        for arm in arms:
            for (target, _), points in self.arms.get(arm, {}).items():
                if not points:
                    raise TwoSeries(arm)
                times[target] = max(times.get(target, 0.0), points[-1][0])
        return times

    def increases(self, arm: str, span: Span) -> Iterator[tuple[str, float]]:
        """(key, increase) of every series of this arm over the span."""
        for (target, key), points in self.arms.get(arm, {}).items():
            if not points:
                raise TwoSeries(arm)
            yield key, increase(points, span, self.first_seen[target])

    def total(self, arm: str, span: Span) -> float:
        """The sum of increases over all series of this arm."""
        return sum(more for _, more in self.increases(arm, span))


@dataclass(frozen=True, slots=True)
class Span:
    """From `since` (left open) to `at`. A series born after `born_after` began at 0 (None: never).

    All in Unix seconds of Prometheus' clock.
    """

    since: float
    at: float
    born_after: float | None


def increase(points: Points, span: Span, target_seen: float) -> float:
    """How much one counter grew over the span.

    A value that drops is a restart: the new value is the increase. A series without a sample before
    the span counts its first value in full only if its target was scraped before without it, after
    the candidate had started; else that value is only the baseline.
    """
    before: float | None = None
    grown = 0.0
    for at, value in points:
        if at > span.at + SAME:
            break
        if at <= span.since + SAME:
            before = value
            continue
        if before is None:
            born = span.born_after is not None and at > span.born_after + SAME
            grown += value if born and target_seen < at - SAME else 0.0
        else:
            grown += value - before if value >= before else value
        before = value
    return grown


@dataclass(frozen=True, slots=True)
class Window:
    """What one tick brought: every metric from `start` to `at`, and the edges that it asked for."""

    start: float
    at: float
    edges: frozenset[float]
    requests: Metric
    buckets: Metric = field(default_factory=Metric)
    also_slow: Metric = field(default_factory=Metric)

    def cut(self, arms: tuple[str, ...], stale: float, *, latency: bool) -> float | None:
        """The newest instant up to which every living target has told everything; None: none lives.

        A target counts as living while its newest sample is at most `stale` seconds old. Cutting at
        the slowest of them is what keeps a sample that is stored late from being passed over.
        """
        metrics = (self.requests, self.buckets, self.also_slow) if latency else (self.requests,)
        ends = [
            at
            for metric in metrics
            for at in metric.newest(arms).values()
            if at >= self.at - stale - SAME
        ]
        return min(ends, default=None)

    def failed(self, arm: str | None, classes: Container[str], span: Span) -> Counts:
        """Requests, and those of a failing class. An absent class is zero; so is an absent arm."""
        if arm is None:
            return Counts()
        grown = list(self.requests.increases(arm, span))
        return Counts(
            n=sum(more for _, more in grown), bad=sum(more for key, more in grown if key in classes)
        )

    def slow(self, arm: str | None, edge: float, span: Span) -> Counts:
        """Requests, and those slower than `edge`, both from the histogram's own instant."""
        if arm is None:
            return Counts()
        grown = self.cumulative(arm, span)
        beyond = self.also_slow.total(arm, span)
        every = grown.get(math.inf, 0.0)
        return Counts(n=every + beyond, bad=every - grown.get(edge, 0.0) + beyond)

    def cumulative(self, arm: str, span: Span) -> dict[float, float]:
        """Increases by upper edge, summed over targets."""
        grown: dict[float, float] = {}
        for key, more in self.buckets.increases(arm, span):
            edge = number_of(key)
            grown[edge] = grown.get(edge, 0.0) + more
        return grown


def number_of(le: str) -> float:
    """An edge as a number: `100`, `100.0` and `1e+02` are one. Infinity if it is none."""
    try:
        return float(le)
    except ValueError:
        return math.inf


def bracket(edges: Iterable[float], limit: float) -> tuple[float | None, float | None]:
    """The edges just below and just above a limit; twice the limit itself if it is an edge."""
    finite = sorted(edge for edge in edges if edge != math.inf)
    close = next((edge for edge in finite if abs(edge - limit) <= 1e-9 * max(1.0, limit)), None)
    if close is not None:
        return close, close
    below = max((edge for edge in finite if edge < limit), default=None)
    above = min((edge for edge in finite if edge > limit), default=None)
    return below, above


def matcher(labels: Mapping[str, str]) -> str:
    """`a="b",c="d"` with values quoted."""
    return ",".join(f'{name}="{quoted(value)}"' for name, value in sorted(labels.items()))


def quoted(text: str) -> str:
    """For use between double quotes of PromQL."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
