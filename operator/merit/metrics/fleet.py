"""One query per metric for the whole fleet; every object's counts are cut from its answers."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping

from merit.evidence.counts import ArmPair, NoSample, Sample
from merit.evidence.quantile import quantile, seconds_text
from merit.evidence.sentences import share
from merit.metrics.answer import Answer, Source
from merit.metrics.arms import FleetArms
from merit.metrics.edges import Edges
from merit.metrics.preset import Latency, Preset, load_preset
from merit.metrics.window import Metric, Span, TwoSeries, Window, matcher, quoted
from merit.policy.observed import Figure

LONGEST = 600.0  # seconds: after a longer gap counters are based anew, not stretched
SHORTEST = 60.0
ASKED = 120.0  # seconds after which an object that no longer asks does not widen the window
TORN = 3  # looks that wait for a torn scrape to mend before the signal is left out once
__all__ = ["Fleet", "FleetArms"]

NO_HISTOGRAM = Latency(bucket="none", unit="s")


class Fleet:
    """The counts of all revisions behind one kind of gateway.

    `matchers`: labels of the scrape targets that may speak. `scrape`: seconds between two samples.
    """

    def __init__(
        self,
        source: Source,
        preset: Preset | None = None,
        *,
        matchers: Mapping[str, str] | None = None,
        scrape: float = 15.0,
    ) -> None:
        self._source = source
        self._preset = preset or load_preset()
        self._scrape = scrape
        self._selector = matcher({"job": "envoy"} if matchers is None else matchers)
        self._window: Window | None = None
        self._lost = NoSample("MetricsLost", "Prometheus was not asked yet")
        self._edges = Edges(self._preset.latency or NO_HISTOGRAM)
        self._since: dict[tuple[str, str], tuple[float, float]] = {}
        self._torn: dict[tuple[str, str], int] = {}

    async def tick(self) -> None:
        """Ask Prometheus, at one instant of its own clock, for every metric. Never raises."""
        clock = await self._source.instant("time()")
        if clock.reason or not clock.series or not clock.series[0].samples:
            self._lose(clock)
            return
        at = float(math.floor(clock.series[0].samples[0][1]))
        preset, latency = self._preset, self._preset.latency
        if latency and not await self._learn_edges(latency, at):
            return
        asked = self._edges.in_use(at)
        seconds = math.ceil(self._reach(at))
        queries = [f"{preset.requests.series}{{{self._arms()}}}[{seconds}s]"]
        if latency and asked:
            selector = f"{self._arms()},{self._edges.selector(asked)}"
            queries.append(f"{latency.bucket}{{{selector}}}[{seconds}s]")
            if latency.also_slow:
                queries.append(f"{latency.also_slow}{{{self._arms()}}}[{seconds}s]")
        answers = await asyncio.gather(*(self._source.instant(query, at) for query in queries))
        failed = next((answer for answer in answers if answer.reason), None)
        if failed:
            self._lose(failed)
            return
        keys = (preset.requests.class_, "le", None)
        metrics = [
            Metric.of(answer.series, arm=preset.arm.label, key=key)
            for answer, key in zip(answers, keys, strict=False)
        ]
        self._lost = NoSample("", "")
        self._window = Window(at - seconds, at, asked, *metrics)

    def available(self) -> tuple[bool, str, str]:
        """Whether the last tick was answered; else the reason and what was said."""
        if self._window is None or self._lost.reason:
            return False, self._lost.reason, self._lost.message
        return True, "Fresh", f"{self._preset.name}: no per-pod counts"

    def sample(self, arms: FleetArms) -> Sample | NoSample:
        """What both arms did since `arms.since`, cut at the newest common instant.

        Nothing new is a Sample with `at` = `since` and no signals. After a gap above ten minutes,
        and at the first look, `since` is None: a new baseline without counts.
        """
        window = self._window
        if window is None or self._lost.reason:
            return self._lost
        serving = arms.stable or arms.candidate
        if serving is None:
            return NoSample("NoSeries", "no revision serves")
        candidate = self._arm(arms, arms.candidate) if arms.stable and arms.candidate else None
        stable = self._arm(arms, serving)
        limits = {
            name: self._preset.latency.edge(seconds)
            for name, seconds in arms.edges.items()
            if seconds is not None and self._preset.latency
        }
        self._edges.use(limits.values(), window.at)
        try:
            return self._cut(window, arms, candidate, stable, limits)
        except TwoSeries as error:
            return NoSample("Partial", f"one target has two series of {error}")

    def _cut(
        self,
        window: Window,
        arms: FleetArms,
        candidate: str | None,
        stable: str,
        limits: Mapping[str, float],
    ) -> Sample | NoSample:
        names = (stable,) if candidate is None else (candidate, stable)
        if stable not in window.requests.arms:
            return NoSample("NoSeries", f"Prometheus has no series of {stable}")
        at = window.cut(names, 3 * self._scrape, latency=bool(limits))
        if at is None:
            seen = max(window.requests.newest(names).values())
            old = window.at - seen
            return NoSample("MetricsLost", f"the newest sample is {old:.0f}s old")
        key = (arms.namespace, arms.name)
        if arms.since is None or at - arms.since > LONGEST:
            self._since[key] = (at, window.at)
            return Sample(at, None, {})
        self._since[key] = (arms.since, window.at)
        edges = self._edges.deciding(limits)
        if isinstance(edges, NoSample):
            return edges
        needed = {edge for pair in edges.values() for edge in pair}
        reaches = window.start <= arms.since - self._scrape
        nothing = Sample(arms.since, arms.since, {})
        if at <= arms.since or not reaches or not needed <= window.edges:
            return nothing  # the next tick reaches back far enough and asks for these edges
        span = Span(arms.since, at, arms.candidate_started_at)
        signals = {
            name: self._pair(window, candidate, stable, edges.get(name), span)
            for name in arms.edges
            if name not in limits or name in edges
        }
        torn = {name for name, pair in signals.items() if _torn(pair)}
        if torn:
            self._torn[key] = self._torn.get(key, 0) + 1
            if self._torn[key] < TORN:
                return nothing
        self._torn.pop(key, None)
        return Sample(at, arms.since, {k: v for k, v in signals.items() if k not in torn})

    def _pair(
        self,
        window: Window,
        candidate: str | None,
        stable: str,
        edges: tuple[float, float] | None,
        span: Span,
    ) -> ArmPair:
        failed = self._preset.requests.errors
        if edges is None:
            mine, theirs = (window.failed(arm, failed, span) for arm in (candidate, stable))
            return ArmPair(mine, theirs, mine, theirs)
        below, above = (
            [window.slow(arm, edge, span) for arm in (candidate, stable)] for edge in edges
        )
        return ArmPair(above[0], above[1], below[0], below[1])

    def idle(self, namespace: str, name: str, short: str, port: int) -> bool:
        """No request ended at this revision during the last three scrapes. Unknown is not idle."""
        window = self._window
        if window is None or self._lost.reason or not window.requests.first_seen:
            return False
        arm = self._preset.arm_name(namespace, f"{name}-{short}", port)
        span = Span(window.at - 3 * self._scrape, window.at, 0.0)
        try:
            return window.requests.total(arm, span) <= 0
        except TwoSeries:
            return False

    def display(
        self,
        namespace: str,
        name: str,
        short: str,
        port: int,
        edges: Mapping[str, float | None],
        window: float = SHORTEST,
    ) -> dict[str, Figure]:
        """Each signal of one serving revision over the last `window` seconds, for people.

        `edges` as in FleetArms. A signal without requests, or without data, is left out.
        """
        held = self._window
        arm = self._preset.arm_name(namespace, f"{name}-{short}", port)
        if held is None or self._lost.reason or arm not in held.requests.arms:
            return {}
        told: dict[str, Figure] = {}
        try:
            at = held.cut((arm,), 3 * self._scrape, latency=False)
            if at is None:
                return {}
            span = Span(at - window, at, 0.0)
            for signal, limit in edges.items():
                figure = self._figure(held, arm, signal, limit, span)
                if figure is not None:
                    told[signal] = figure
        except TwoSeries:
            return {}
        return told

    def _figure(
        self, held: Window, arm: str, signal: str, limit: float | None, span: Span
    ) -> Figure | None:
        latency = self._preset.latency
        if limit is None:
            seen = held.failed(arm, self._preset.requests.errors, span)
            value = share(seen.bad / seen.n) if seen.n > 0 else ""
        elif latency is not None:
            self._edges.use((latency.edge(limit),), held.at)
            found = self._edges.deciding({signal: latency.edge(limit)})
            if isinstance(found, NoSample) or not found or found[signal][1] not in held.edges:
                return None
            seen = held.slow(arm, found[signal][1], span)
            value = self._quantile(held, latency, arm, signal, span)
        else:
            return None
        if seen.n <= 0:
            return None
        return Figure(share=min(1.0, seen.bad / seen.n), n=round(seen.n), value=value)

    def _quantile(self, held: Window, latency: Latency, arm: str, name: str, span: Span) -> str:
        q = float(name.rpartition("/p")[2] or "99") / 100
        beyond = held.also_slow.total(arm, span)
        buckets = {latency.seconds(e): n for e, n in held.cumulative(arm, span).items()}
        if not buckets:
            return ""
        buckets[math.inf] = buckets.get(math.inf, 0.0) + beyond
        lowest = min(buckets)
        if buckets[lowest] >= q * buckets[math.inf] and not math.isinf(lowest):
            return f"<= {seconds_text(lowest)}"  # edges below were not asked for
        return quantile(q, buckets) or ""

    def _arm(self, arms: FleetArms, short: str) -> str:
        own = arms.stable_port if short == arms.stable else None
        return self._preset.arm_name(arms.namespace, f"{arms.name}-{short}", own or arms.port)

    def _arms(self) -> str:
        arm = self._preset.arm
        pattern = f'{arm.label}=~"{quoted(arm.pattern)}"'
        return f"{self._selector},{pattern}" if self._selector else pattern

    def edges(self, limit: float) -> tuple[float, float] | None:
        """The bucket edges (seconds) that decide about a limit (seconds): equal on an edge.

        None while they are not known, or if the limit has no edge on both sides.
        """
        latency = self._preset.latency
        found = self._edges.deciding({"": latency.edge(limit)}) if latency else {}
        if latency is None or isinstance(found, NoSample) or not found:
            return None
        below, above = found[""]
        return latency.seconds(below), latency.seconds(above)

    async def _learn_edges(self, latency: Latency, at: float) -> bool:
        if not self._edges.due(at):
            return True
        query = f"count by (le) ({latency.bucket}{{{self._arms()}}})"
        answer = await self._source.instant(query, at)
        if answer.reason:
            self._lose(answer)
            return False
        self._edges.learn(answer.series, at)
        return True

    def _reach(self, at: float) -> float:
        """How far back to read: past the last sample at or before the oldest `since` in use."""
        margin = 2 * self._scrape + 5
        if self._window is None:
            return LONGEST + margin  # after a restart nobody has asked yet
        self._since = {k: v for k, v in self._since.items() if at - v[1] < ASKED}
        oldest = min((since for since, _ in self._since.values()), default=at)
        return min(LONGEST, max(SHORTEST, at - oldest)) + margin

    def _lose(self, answer: Answer) -> None:
        self._lost = NoSample(
            answer.reason or "MetricsLost", answer.message or "Prometheus has no clock"
        )


def _torn(pair: ArmPair) -> bool:
    """More bad requests than requests: the parts are not of one instant."""
    every = (pair.candidate, pair.stable, pair.candidate_below, pair.stable_below)
    return any(counts.bad > counts.n or counts.bad < 0 for counts in every)
