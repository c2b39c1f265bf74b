"""Raw samples of the last minutes, and the increases that are read from them. Pure.

The unit of differencing is (exporter, series): a pod, or a gateway's instance, however often it is
scraped. What is not known to be new traffic is a baseline: an increase is never larger than the
true one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from merit.prometheus.answer import Series
from merit.prometheus.preset import Name

Points = tuple[tuple[float, float], ...]
Target = tuple[str, str]  # what exports: namespace and pod, or the instance of a gateway
Place = tuple[Target, str, tuple[str, ...]]  # and class or edge, and the parts that add up
SAME = 0.0005  # seconds: timestamps closer than this are the same


@dataclass(frozen=True, slots=True)
class Reading:
    """How series are read: `arm` and `target` from their labels, samples up to `until`, and what
    has one from after `live` is live. All in Unix seconds of Prometheus' clock.
    """

    arm: Callable[[Mapping[str, str]], str | None]
    target: Callable[[Mapping[str, str]], Target]
    until: float = math.inf
    live: float = -math.inf


class TwoSeries(Exception):
    """One scrape has two series for one arm and one class: which one is right is unknown."""


@dataclass(slots=True)
class Metric:
    """One metric of the whole fleet: arm -> place -> samples.

    `first_seen`: when each target's first sample in the window was taken, whatever the arm.
    """

    arms: dict[str, dict[Place, Points]] = field(default_factory=dict)
    first_seen: dict[Target, float] = field(default_factory=dict)

    def add(
        self,
        series: Iterable[Series],
        read: Reading,
        *,
        key: str | None = None,
        constant: str = "",
        adds: tuple[str, ...] = (),
    ) -> Metric:
        """Add the series of an answer; returns itself.

        `key` is the label that distinguishes classes, else all of
        them are of class `constant`; `adds` are labels of parts that add up. What is scraped by
        several jobs is read from one of them: the first that is live.
        """
        found: list[tuple[str, Place, Target, Points]] = []
        newest: dict[tuple[Target, tuple[str, ...]], dict[Target, float]] = {}
        for one in series:
            name = read.arm(one.labels)
            points = tuple(p for p in one.samples if p[0] <= read.until + SAME)
            if not points or name is None:
                continue
            class_ = one.labels.get(key, "") if key else constant
            who, parts = read.target(one.labels), tuple(one.labels.get(label, "") for label in adds)
            scrape = (one.labels.get("job", ""), one.labels.get("instance", ""))
            found.append((name, (who, class_, parts), scrape, points))
            times = newest.setdefault((who, parts), {})
            times[scrape] = max(times.get(scrape, -math.inf), points[-1][0])
        chosen = {
            of: min(times, key=lambda scrape: (times[scrape] < read.live, scrape))
            for of, times in newest.items()
        }
        for name, place, scrape, points in found:
            who, _, parts = place
            if chosen[who, parts] != scrape:
                continue
            held = self.arms.setdefault(name, {})
            held[place] = () if place in held else points  # () marks two series of one place
            begun = self.first_seen.get(who, math.inf)
            self.first_seen[who] = min(begun, points[0][0])
        return self

    def is_live(self, arms: Iterable[str], since: float) -> bool:
        """Whether any of these arms has a sample from after `since`."""
        each = (points for arm in arms for points in self.arms.get(arm, {}).values())
        return any(points and points[-1][0] >= since - SAME for points in each)

    def newest(self, arms: Iterable[str]) -> dict[Target, float]:
        """The time of each target's newest sample about any of these arms."""
        times: dict[Target, float] = {}
        for arm in arms:
            for (target, _, _), points in self.arms.get(arm, {}).items():
                if not points:
                    raise TwoSeries(arm)
                times[target] = max(times.get(target, 0.0), points[-1][0])
        return times

    def increases(self, arm: str, span: Span) -> Iterator[tuple[str, float]]:
        """(key, increase) of every series of this arm over the span."""
        for (target, key, _), points in self.arms.get(arm, {}).items():
            if not points:
                raise TwoSeries(arm)
            yield key, increase(points, span, self.first_seen[target])

    def total(self, arm: str, span: Span) -> float:
        """The sum of increases over all series of this arm."""
        return sum(more for _, more in self.increases(arm, span))


@dataclass(frozen=True, slots=True)
class Span:
    """From `since` (left open) to `at`. A series born after `born_after` began at 0 (None: never).

    All in Unix seconds of Prometheus' clock. `own`: every target is a pod of its arm alone, so its
    counters began with the pod, and a target that appears is no baseline either.
    """

    since: float
    at: float
    born_after: float | None
    own: bool = False


def increase(points: Points, span: Span, target_seen: float) -> float:
    """How much one counter grew over the span.

    A value that drops is a restart: the new value is the increase. A series without a sample before
    the span counts its first value in full only if its target was scraped before without it, or is
    a pod of the arm alone, and only after the candidate had started; else that value is only the
    baseline.
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
            known = span.own or target_seen < at - SAME
            grown += value if born and known else 0.0
        else:
            grown += value - before if value >= before else value
        before = value
    return grown


@dataclass(frozen=True, slots=True)
class Window:
    """What one poll read: every metric from `start` to `at`, and the edges that it read.

    `names`: the objects that were read, None for all. `targets`: how many exporters answer, of how
    many: of all (""), and by arm. `too_large`: by the end of a revision's name, the metric of which
    it has too many series to be read.
    """

    start: float
    at: float
    edges: frozenset[float]
    requests: Metric
    buckets: Metric = field(default_factory=Metric)
    also_slow: Metric = field(default_factory=Metric)
    names: frozenset[Name] | None = None
    targets: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    too_large: Mapping[str, str] = field(default_factory=dict)

    def covers(self, name: Name) -> bool:
        """Whether this object was read."""
        return self.names is None or name in self.names

    def unread(self, short: str) -> str:
        """The metric of which this revision has too many series to be read; empty if none."""
        return next((m for end, m in self.too_large.items() if short.endswith(end)), "")

    def known(self, arms: tuple[str, ...]) -> str:
        """The first of these names that there are series of; else the first."""
        return next((arm for arm in arms if arm in self.requests.arms), arms[0])

    def edges_of(self, arms: Iterable[str]) -> frozenset[float]:
        """The edges that were read and that every histogram of these arms has."""
        own: dict[tuple[object, ...], set[float]] = {}
        for arm in arms:
            for target, le, parts in self.buckets.arms.get(arm, ()):
                own.setdefault((arm, target, parts), set()).add(number_of(le))
        return self.edges.intersection(*own.values())

    def without_histogram(self, arms: Iterable[str], since: float) -> str | None:
        """The first arm that has counted requests, but has no bucket from after `since`."""
        for arm in arms:
            counted = self.requests.arms.get(arm, {}).values()
            served = any(points and points[-1][1] > 0 for points in counted)
            if served and not self.buckets.is_live((arm,), since):
                return arm
        return None

    def cut(self, arms: tuple[str, ...], stale: float, *, latency: bool) -> float | None:
        """The newest instant up to which every live target is complete; None without a live one.

        A target is live while its newest sample is at most `stale` seconds old. Cutting at
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
