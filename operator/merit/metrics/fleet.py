"""One query per metric for the whole fleet; every object's counts are cut from its answers."""

from __future__ import annotations

import math
from collections.abc import Mapping

from merit.evidence.counts import NoSample, Sample
from merit.metrics import counting
from merit.metrics.answer import Answer, Source
from merit.metrics.arms import FleetArms
from merit.metrics.cutting import COVERAGE, SHORTEST, Cutter
from merit.metrics.edges import Edges
from merit.metrics.inspection import AGAIN, CHECKED, Inspection, inspect, missing
from merit.metrics.polling import Poller
from merit.metrics.preset import Name, Preset, load_preset
from merit.metrics.promql import matcher
from merit.metrics.window import Span, TwoSeries, Window
from merit.policy.observed import Figure

FEW = 200  # names beyond which one query for all is shorter than one for some
__all__ = ["Fleet", "FleetArms"]


class Fleet:
    """The counts of all revisions behind one metrics source.

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
        self._poller = Poller(source, self._preset, self._selector)
        self._windows: dict[bool, Window] = {}  # whether of all -> the newest look
        self._lost = NoSample("MetricsLost", "Prometheus was not asked yet")
        self._found = Inspection()
        self._inspected_at = -math.inf
        self._strangers = False  # a revision was asked for that the last self-check did not see
        self._edges = Edges()
        self._cutter = Cutter(scrape, own=self._preset.per_pod)

    async def tick(self, names: frozenset[Name] | None = None) -> None:
        """Ask Prometheus, at one instant of its own clock, for every metric. Never raises.

        `names`: only these objects; all of them if None, or if they are many.
        """
        if names is not None and len(names) > FEW:
            names = None
        clock = await self._source.instant("time()")
        if clock.reason or not clock.series or not clock.series[0].samples:
            self._lose(clock)
            return
        at = float(math.floor(clock.series[0].samples[0][1]))
        if not await self._inspect(at):
            return
        seconds = math.ceil(self._cutter.reach(at, first=not self._windows))
        window = await self._poller.window(
            self._found, self._edges, at=at, seconds=seconds, names=names
        )
        if isinstance(window, Answer):
            self._lose(window)
            return
        good, every = window.targets.get("", (1, 1))
        if good < COVERAGE * every:
            self._lost = NoSample("Partial", f"{good} of {every} scrape targets answer")
            return
        self._lost = NoSample("", "")
        self._windows[names is None] = window

    async def _inspect(self, at: float) -> bool:
        due = at - self._inspected_at >= (AGAIN if self._strangers else CHECKED)
        if due or self._found.problem is not None:
            if at - self._inspected_at >= CHECKED:
                self._poller.forget_sizes()
            self._found = await inspect(self._source, self._preset, self._selector, at)
            self._inspected_at, self._strangers = at, False
            if self._found.latency is not None and self._found.edges:
                self._edges.learn(self._found.latency, self._found.edges)
        if self._found.problem is not None:
            self._lost = self._found.problem
            if self._lost.reason == "MetricsLost":
                self._inspected_at = -math.inf  # nothing was learnt
            return False
        return True

    @property
    def per_pod(self) -> bool:
        """Whether these are the servers' own series, pod by pod."""
        return self._preset.per_pod

    def available(self) -> tuple[bool, str, str]:
        """Whether the last tick was answered; else the reason and what was said."""
        if not self._windows or self._lost.reason:
            return False, self._lost.reason, self._lost.message
        return True, "Fresh", self._preset.name

    def warnings(self, edges: Mapping[str, float | None]) -> tuple[tuple[str, str], ...]:
        """(reason, sentence) for each limit (seconds) that lies between two bucket edges."""
        return self._edges.warnings(self._limits(edges))

    def sample(self, arms: FleetArms) -> Sample | NoSample:
        """What both arms did since `arms.since`, cut at the newest common instant.

        Nothing new is a Sample with `at` = `since` and no signals. After a gap above ten minutes,
        and at the first look, `since` is None: a new baseline without counts.
        """
        window = self._window((arms.namespace, arms.name))
        if window is None:
            return self._lost
        serving = arms.stable or arms.candidate
        if serving is None:
            return NoSample("NoSeries", "no revision serves")
        untold = missing(self._preset, self._found, tuple(arms.edges))
        if untold is not None:
            return untold
        candidate = (
            self._arm(window, arms, arms.candidate) if arms.stable and arms.candidate else None
        )
        stable = self._arm(window, arms, serving)
        edges = self._deciding(arms.edges, window.at)
        if isinstance(edges, NoSample):
            return edges
        if stable not in window.requests.arms:
            return self._nothing_of(window, stable)
        assert self._found.requests is not None
        try:
            return self._cutter.cut(window, arms, (candidate, stable), self._found.requests, edges)
        except TwoSeries as error:
            return NoSample("Partial", f"one target has two series of {error}")

    def _nothing_of(self, window: Window, arm: str) -> NoSample:
        """Whether nobody asks this revision, or nobody can tell."""
        self._strangers = True
        if window.requests.arms or window.targets.get("", (0, 0))[0] > 0:
            return NoSample("NoTraffic", f"no request has reached {arm} yet, or none is counted")
        return NoSample("NoSeries", f"Prometheus has no series of {arm}")

    def idle(self, namespace: str, name: str, short: str, port: int) -> bool:
        """No request ended at this revision during the last three scrapes. Unknown is not idle."""
        window = self._window((namespace, name))
        if window is None or not window.requests.first_seen:
            return False
        arm = window.known(self._preset.arm_names(namespace, f"{name}-{short}", port))
        span = Span(window.at - 3 * self._scrape, window.at, 0.0, self._preset.per_pod)
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
        held = self._window((namespace, name))
        requests, latency = self._found.requests, self._found.latency
        if held is None or requests is None:
            return {}
        arm = held.known(self._preset.arm_names(namespace, f"{name}-{short}", port))
        found = self._deciding(edges, held.at)
        deciding = {} if isinstance(found, NoSample) else found
        told: dict[str, Figure] = {}
        try:
            at = held.cut((arm,), 3 * self._scrape, latency=False)
            if at is None:
                return {}
            span = Span(at - window, at, 0.0)
            for signal, limit in edges.items():
                figure: Figure | None = None
                if limit is None and requests.tells_errors:
                    figure = counting.errors_figure(held, arm, requests, span)
                elif latency is not None and signal in deciding:
                    edge = deciding[signal][1]
                    if edge in held.edges:
                        figure = counting.latency_figure(
                            held, arm, latency, signal=signal, edge=edge, span=span
                        )
                if figure is not None:
                    told[signal] = figure
        except TwoSeries:
            return {}
        return told

    def edges(self, limit: float) -> tuple[float, float] | None:
        """The bucket edges (seconds) that decide about a limit (seconds): equal on an edge.

        None while they are not known, or if the limit has no edge on both sides.
        """
        latency = self._found.latency
        found = self._edges.deciding({"": latency.edge(limit)}) if latency else {}
        if latency is None or isinstance(found, NoSample) or not found:
            return None
        below, above = found[""]
        return latency.seconds(below), latency.seconds(above)

    def _window(self, name: Name) -> Window | None:
        """The newest look that told of this object; None while Prometheus is lost."""
        if self._lost.reason:
            return None
        told = (w for w in self._windows.values() if w.covers(name))
        return max(told, key=lambda window: window.at, default=None)

    def _deciding(
        self, edges: Mapping[str, float | None], at: float
    ) -> dict[str, tuple[float, float]] | NoSample:
        limits = self._limits(edges)
        self._edges.use(limits.values(), at)
        return self._edges.deciding(limits)

    def _limits(self, edges: Mapping[str, float | None]) -> dict[str, float]:
        latency = self._found.latency
        if latency is None:
            return {}
        return {name: latency.edge(s) for name, s in edges.items() if s is not None}

    def _arm(self, window: Window, arms: FleetArms, short: str) -> str:
        own = arms.stable_port if short == arms.stable else None
        service = f"{arms.name}-{short}"
        return window.known(self._preset.arm_names(arms.namespace, service, own or arms.port))

    def _lose(self, answer: Answer) -> None:
        self._lost = NoSample(
            answer.reason or "MetricsLost", answer.message or "Prometheus has no clock"
        )
