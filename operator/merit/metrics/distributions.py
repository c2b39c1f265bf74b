"""Distributions that the servers export: long windows of what serves, same minutes of both arms.

Asked once for the whole fleet and each metric; pods are folded into revisions by Prometheus itself.
What was seen of a canary lives in this process only: a restart delays a word about drift, and never
invents one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from merit.evidence.bins import Histogram, coarse, from_buckets, from_classes
from merit.evidence.binscore import BinScore
from merit.evidence.counts import NoSample
from merit.metrics.answer import Answer, Source
from merit.metrics.pods import Pods
from merit.metrics.preset import Name, PodLabels
from merit.metrics.promql import joined, quoted
from merit.metrics.window import number_of
from merit.policy.observed import Distribution, Pair

ENOUGH = 2000.0  # samples from which on a longer window is not asked for
FORGOTTEN = 900.0  # seconds after which what nobody asks for is no longer read
MINUTE = 60.0
FEW = 200  # names beyond which one query for all is shorter
# A pod's Deployment: its own name without the two parts that Kubernetes adds.
_FOLD = "(.+-[0-9a-f]{8})-(?:[a-z0-9]{1,10}-[a-z0-9]{5}|[a-z0-9]{6,15})"
_ARM = "merit_arm"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A histogram (`label` is `le`), or a counter by the classes of a label."""

    metric: str
    label: str = "le"

    def fold(self, counts: Mapping[str, float]) -> Histogram | None:
        """From label value to increase."""
        if self.label == "le":
            return from_buckets({number_of(le): more for le, more in counts.items()})
        return from_classes(counts) if counts else None


@dataclass(slots=True)
class _Race:
    """Both arms of one canary, minute by minute."""

    asked_at: float
    score: BinScore | None = None
    candidate: Histogram | None = None
    stable: Histogram | None = None

    def minute(self, candidate: Histogram, stable: Histogram) -> None:
        """Sums and score with one more minute; other bins than before begin anew."""
        try:
            mine = candidate if self.candidate is None else self.candidate + candidate
            theirs = stable if self.stable is None else self.stable + stable
        except ValueError:
            self.score, mine, theirs = None, candidate, stable
        self.candidate, self.stable = mine, theirs
        if self.score is None:
            bins = stable.onto(coarse(stable))
            self.score = BinScore(bins) if bins is not None and bins.n > 0 else None
        if self.score is not None:
            self.score.update(candidate, stable)


@dataclass(frozen=True, slots=True)
class _Key:
    namespace: str
    name: str
    candidate: str
    stable: str
    wanted: Wanted


@dataclass(slots=True)
class _Live:
    """What the newest round found of one metric: window -> (namespace, service) -> histogram."""

    at: float = -math.inf
    windows: dict[float, dict[tuple[str, str], Histogram]] = field(default_factory=dict)
    problem: NoSample | None = None


class Distributions:
    """The servers' distributions of one source. `windows`: seconds, from short to long."""

    def __init__(self, source: Source, pods: Pods, *, windows: tuple[float, ...]) -> None:
        self._source, self._pods, self._windows = source, pods, tuple(sorted(windows))
        self._asked: dict[tuple[Wanted, Name], float] = {}
        self._live: dict[Wanted, _Live] = {}
        self._races: dict[_Key, _Race] = {}
        self._minute = -math.inf

    def windows(
        self, namespace: str, name: str, short: str, wanted: Wanted, now: float
    ) -> Distribution | NoSample:
        """What this revision's pods told over the windows that were read. `now`: any clock."""
        self._asked[wanted, (namespace, name)] = now
        live = self._live.get(wanted)
        if live is None:
            return NoSample("Unobserved", "not asked yet")
        if live.problem is not None:
            return live.problem
        key = (namespace, f"{name}-{short}")
        found = {window: told[key] for window, told in live.windows.items() if key in told}
        if not found:
            return NoSample("NoSeries", f"no pod of {name}-{short} exports {wanted.metric}")
        return Distribution(live.at, found)

    def pair(
        self, namespace: str, name: str, *, candidate: str, stable: str, wanted: Wanted, now: float
    ) -> Pair | NoSample:
        """Both arms over the minutes since they were first asked for."""
        key = _Key(namespace, name, candidate, stable, wanted)
        race = self._races.setdefault(key, _Race(now))
        race.asked_at = now
        if race.score is None or race.candidate is None or race.stable is None:
            return NoSample("Unobserved", "no minute with samples of both revisions yet")
        return Pair(race.candidate, race.stable, race.score.log_e())

    async def round(self, now: float) -> None:
        """Read every window that somebody needs. Never raises."""
        self._asked = {k: at for k, at in self._asked.items() if now - at < FORGOTTEN}
        by_metric: dict[Wanted, set[Name]] = {}
        for wanted, name in self._asked:
            by_metric.setdefault(wanted, set()).add(name)
        self._live = {w: live for w, live in self._live.items() if w in by_metric}
        for wanted, names in by_metric.items():
            self._live[wanted] = await self._read(wanted, names)

    async def _read(self, wanted: Wanted, names: set[Name]) -> _Live:
        live = _Live()
        needy = names
        for window in self._windows:
            answer = await self._increase(wanted, window, needy, None)
            if answer.reason:
                return _Live(problem=NoSample(answer.reason, answer.message))
            live.windows[window] = self._folded(wanted, answer)
            live.at = max((s.samples[-1][0] for s in answer.series if s.samples), default=live.at)
            needy = {name for name in needy if not _enough(live.windows[window], name)}
            if not needy:
                break
        return live

    async def minute(self, now: float) -> None:
        """Read the last full minute of both arms of every canary. Never raises."""
        self._races = {k: r for k, r in self._races.items() if now - r.asked_at < FORGOTTEN}
        if not self._races:
            return
        clock = await self._source.instant("time()")
        if clock.reason or not clock.series or not clock.series[0].samples:
            return
        at = math.floor(clock.series[0].samples[0][1] / MINUTE) * MINUTE
        if at <= self._minute:
            return
        self._minute = at
        by_metric: dict[Wanted, list[_Key]] = {}
        for key in self._races:
            by_metric.setdefault(key.wanted, []).append(key)
        for wanted, keys in by_metric.items():
            names = {(key.namespace, key.name) for key in keys}
            answer = await self._increase(wanted, MINUTE, names, at)
            told = self._folded(wanted, answer)
            for key in keys:
                mine = told.get((key.namespace, f"{key.name}-{key.candidate}"))
                theirs = told.get((key.namespace, f"{key.name}-{key.stable}"))
                if mine is not None and theirs is not None and mine.n > 0 and theirs.n > 0:
                    self._races[key].minute(mine, theirs)

    async def _increase(
        self, wanted: Wanted, window: float, names: Iterable[Name], at: float | None
    ) -> Answer:
        pod = await self._labels()
        chosen = set(names)
        pattern = pod.pattern(chosen if len(chosen) <= FEW else None)
        metric = f"{wanted.metric}_bucket" if wanted.label == "le" else wanted.metric
        where = joined((self._pods.selector, f'{pod.pod}=~"{quoted(pattern)}"'))
        grown = f"increase({metric}{{{where}}}[{window:.0f}s])"
        folded = f'label_replace({grown}, "{_ARM}", "$1", "{pod.pod}", "{quoted(_FOLD)}")'
        query = f"sum by ({pod.namespace}, {_ARM}, {wanted.label}) ({folded})"
        return await self._source.instant(query, at)

    async def _labels(self) -> PodLabels:
        return await self._pods.labels()

    def _folded(self, wanted: Wanted, answer: Answer) -> dict[tuple[str, str], Histogram]:
        label = self._pods.namespace_label
        counts: dict[tuple[str, str], dict[str, float]] = {}
        for one in answer.series:
            if one.samples and one.labels.get(_ARM):
                key = (one.labels.get(label, ""), one.labels[_ARM])
                value = one.labels.get(wanted.label, "")
                counts.setdefault(key, {})[value] = one.samples[-1][1]
        folded = {key: wanted.fold(told) for key, told in counts.items()}
        return {key: found for key, found in folded.items() if found is not None}


def _enough(told: Mapping[tuple[str, str], Histogram], name: Name) -> bool:
    """Whether every revision of this object that told anything told enough."""
    pattern = re.compile(re.escape(name[1]) + "-[0-9a-f]{8}")
    mine = [
        h.n for (ns, service), h in told.items() if ns == name[0] and pattern.fullmatch(service)
    ]
    return bool(mine) and min(mine) >= ENOUGH
