"""Distributions that the servers export: long windows of one revision, the same minutes of two.

There is one query per metric for the whole fleet; Prometheus itself adds the pods of a revision.
The evidence about a candidate is in memory only: a restart delays a drift verdict, nothing more.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from merit.policy.state.measurements import Distribution, Pair
from merit.prometheus.answer import Answer, Series, Source
from merit.prometheus.inspection import CHECK_INTERVAL
from merit.prometheus.pods import Pods
from merit.prometheus.preset import Name, joined, quoted
from merit.prometheus.window import number_of
from merit.stats.bin_e_process import BinEProcess
from merit.stats.counts import NoSample
from merit.stats.histogram import Histogram, coarse_edges, from_buckets, from_classes

ENOUGH = 2000.0  # samples from which on a longer window is not read
FORGET = 900.0  # seconds after which a metric that is not asked for is no longer read
MINUTE = 60.0
MAX_NAMES = 200  # beyond it one query for all objects is shorter
# A pod's Deployment: its own name without the two parts that Kubernetes adds.
_FOLD = "(.+-[0-9a-f]{8})-(?:[a-z0-9]{1,10}-[a-z0-9]{5}|[a-z0-9]{6,15})"
_ARM = "merit_arm"


@dataclass(frozen=True, slots=True)
class DistributionMetric:
    """A histogram (`label` is `le`), or a counter by the classes of a label."""

    name: str
    label: str = "le"

    def fold(self, counts: Mapping[str, float]) -> Histogram | None:
        """The histogram of `counts`, from label value to increase; None if it is incomplete."""
        if self.label == "le":
            return from_buckets({number_of(le): more for le, more in counts.items()})
        return from_classes(counts) if counts else None


@dataclass(slots=True)
class _ArmComparison:
    """Both arms of one rollout, minute by minute."""

    asked_at: float
    e_process: BinEProcess | None = None
    candidate: Histogram | None = None
    stable: Histogram | None = None

    def add(self, candidate: Histogram, stable: Histogram) -> None:
        """One more minute; with other bins than before everything starts again.

        Bins that are chosen by the counts of a minute do not judge that minute.
        """
        try:
            mine = candidate if self.candidate is None else self.candidate + candidate
            theirs = stable if self.stable is None else self.stable + stable
        except ValueError:
            self.e_process, mine, theirs = None, candidate, stable
        self.candidate, self.stable = mine, theirs
        if self.e_process is None:
            chosen = coarse_edges(stable)
            bins = stable.rebinned(chosen)
            self.e_process = BinEProcess(bins) if bins is not None and bins.n > 0 else None
            if chosen != stable.edges:
                return
        if self.e_process is not None:
            self.e_process.update(candidate, stable)


@dataclass(frozen=True, slots=True)
class _Key:
    namespace: str
    name: str
    candidate: str
    stable: str
    metric: DistributionMetric


@dataclass(slots=True)
class _LatestWindows:
    """The newest round's result for one metric: window -> (namespace, service) -> histogram."""

    at: float = -math.inf
    windows: dict[float, dict[tuple[str, str], Histogram]] = field(default_factory=dict)
    problems: dict[Name, NoSample] = field(default_factory=dict)


class Distributions:
    """The servers' distributions of one source. `windows`: seconds, from short to long."""

    def __init__(self, source: Source, pods: Pods, *, windows: tuple[float, ...]) -> None:
        self._source, self._pods, self._windows = source, pods, tuple(sorted(windows))
        self._asked: dict[tuple[DistributionMetric, Name], float] = {}
        self._latest: dict[DistributionMetric, _LatestWindows] = {}
        self._comparisons: dict[_Key, _ArmComparison] = {}
        self._minute = -math.inf
        self._too_large: dict[tuple[DistributionMetric, Name], NoSample] = {}
        self._sizes_from = -math.inf

    def windows(
        self, namespace: str, name: str, short: str, metric: DistributionMetric, now: float
    ) -> Distribution | NoSample:
        """This revision's distribution in each window that was read. `now`: any clock."""
        self._asked[metric, (namespace, name)] = now
        latest = self._latest.get(metric)
        if latest is None:
            return NoSample("Unobserved", "not asked yet")
        if (namespace, name) in latest.problems:
            return latest.problems[namespace, name]
        key = (namespace, f"{name}-{short}")
        found = {seconds: by[key] for seconds, by in latest.windows.items() if key in by}
        if not found:
            return NoSample("NoSeries", f"no pod of {name}-{short} exports {metric.name}")
        return Distribution(latest.at, found)

    def pair(
        self,
        namespace: str,
        name: str,
        candidate: str,
        stable: str,
        metric: DistributionMetric,
        now: float,
    ) -> Pair | NoSample:
        """Both arms over the minutes since they were first asked for. `now`: as in `windows`."""
        key = _Key(namespace, name, candidate, stable, metric)
        arms = self._comparisons.setdefault(key, _ArmComparison(now))
        arms.asked_at = now
        if arms.e_process is None or arms.candidate is None or arms.stable is None:
            return NoSample("Unobserved", "no minute with samples of both revisions yet")
        return Pair(arms.candidate, arms.stable, arms.e_process.log_e())

    async def round(self, now: float) -> None:
        """Read every window that is asked for. Never raises."""
        self._asked = {k: at for k, at in self._asked.items() if now - at < FORGET}
        by_metric: dict[DistributionMetric, set[Name]] = {}
        for metric, name in self._asked:
            by_metric.setdefault(metric, set()).add(name)
        self._latest = {m: known for m, known in self._latest.items() if m in by_metric}
        if now - self._sizes_from >= CHECK_INTERVAL:
            self._too_large, self._sizes_from = {}, now
        for metric, names in by_metric.items():
            self._latest[metric] = await self._read(metric, names)

    async def _read(self, metric: DistributionMetric, names: set[Name]) -> _LatestWindows:
        latest, unfinished = _LatestWindows(), names
        for window in self._windows:
            series, problems = await self._increases(metric, window, unfinished, None)
            latest.problems |= problems
            latest.windows[window] = self._folded(metric, series)
            times = (s.samples[-1][0] for s in series if s.samples)
            latest.at = max(times, default=latest.at)
            by = latest.windows[window]
            unfinished = unfinished - problems.keys() - _with_enough(by)
            if not unfinished:
                break
        return latest

    async def minute(self, now: float) -> None:
        """Read the last full minute of both arms of every rollout. Never raises."""
        self._comparisons = {
            k: r for k, r in self._comparisons.items() if now - r.asked_at < FORGET
        }
        if not self._comparisons:
            return
        clock = await self._source.instant("time()")
        if clock.reason or not clock.series or not clock.series[0].samples:
            return
        at = math.floor(clock.series[0].samples[0][1] / MINUTE) * MINUTE
        if at <= self._minute:
            return
        self._minute = at
        by_metric: dict[DistributionMetric, list[_Key]] = {}
        for key in self._comparisons:
            by_metric.setdefault(key.metric, []).append(key)
        for metric, keys in by_metric.items():
            names = {(key.namespace, key.name) for key in keys}
            series, _ = await self._increases(metric, MINUTE, names, at)
            histograms = self._folded(metric, series)
            for key in keys:
                candidate = histograms.get((key.namespace, f"{key.name}-{key.candidate}"))
                stable = histograms.get((key.namespace, f"{key.name}-{key.stable}"))
                if candidate and stable and candidate.n > 0 and stable.n > 0:
                    self._comparisons[key].add(candidate, stable)

    async def _increases(
        self, metric: DistributionMetric, window: float, names: set[Name], at: float | None
    ) -> tuple[list[Series], dict[Name, NoSample]]:
        """The answer, and the objects without one.

        Where an answer is too large, halves are read: an object whose own one is too large is not
        asked for again for a while, and no other notices.
        """
        series: list[Series] = []
        known = {name: self._too_large.get((metric, name)) for name in names}
        problems = {name: problem for name, problem in known.items() if problem is not None}
        pending = [sorted(names - problems.keys())] if names - problems.keys() else []
        while pending:
            some = pending.pop()
            answer = await self._increase(metric, window, some, at)
            if answer.too_large and len(some) > 1:
                middle = len(some) // 2
                pending += [some[:middle], some[middle:]]
            elif answer.too_large:
                why = f"{some[0][1]} exports too many series of {metric.name} to be read"
                problems[some[0]] = NoSample("TooManySeries", why)
                self._too_large[metric, some[0]] = problems[some[0]]
            elif answer.reason:
                problems |= dict.fromkeys(some, NoSample(answer.reason, answer.message))
            else:
                series += answer.series
        return series, problems

    async def _increase(
        self, metric: DistributionMetric, window: float, names: Iterable[Name], at: float | None
    ) -> Answer:
        pod = await self._pods.labels()
        chosen = set(names)
        pattern = pod.pattern(chosen if len(chosen) <= MAX_NAMES else None)
        namespaces = {namespace for namespace, _ in chosen}
        own = f'{pod.namespace}="{quoted(namespaces.pop())}"' if len(namespaces) == 1 else ""
        series = f"{metric.name}_bucket" if metric.label == "le" else metric.name
        where = joined((self._pods.selector, own, f'{pod.pod}=~"{quoted(pattern)}"'))
        increase = f"increase({series}{{{where}}}[{window:.0f}s])"
        folded = f'label_replace({increase}, "{_ARM}", "$1", "{pod.pod}", "{quoted(_FOLD)}")'
        query = f"sum by ({pod.namespace}, {_ARM}, {metric.label}) ({folded})"
        return await self._source.instant(query, at)

    def _folded(
        self, metric: DistributionMetric, series: Iterable[Series]
    ) -> dict[tuple[str, str], Histogram]:
        label = self._pods.namespace_label
        counts: dict[tuple[str, str], dict[str, float]] = {}
        for one in series:
            if one.samples and one.labels.get(_ARM):
                key = (one.labels.get(label, ""), one.labels[_ARM])
                value = one.labels.get(metric.label, "")
                counts.setdefault(key, {})[value] = one.samples[-1][1]
        folded = {key: metric.fold(by_label) for key, by_label in counts.items()}
        return {key: histogram for key, histogram in folded.items() if histogram is not None}


def _with_enough(by: Mapping[tuple[str, str], Histogram]) -> set[Name]:
    """The objects of which every revision with samples has enough of them."""
    least: dict[Name, float] = {}
    for (namespace, service), histogram in by.items():
        name = (namespace, service.rpartition("-")[0])
        least[name] = min(least.get(name, math.inf), histogram.n)
    return {name for name, n in least.items() if n >= ENOUGH}
