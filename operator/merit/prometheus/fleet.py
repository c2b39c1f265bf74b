"""One query per metric for the whole fleet; every object's counts are cut from its answers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from merit.policy.state.measurements import Figure
from merit.prometheus import counting
from merit.prometheus.answer import Answer, Source
from merit.prometheus.edges import Edges, shared_edges
from merit.prometheus.inspection import (
    CHECK_INTERVAL,
    RECHECK_INTERVAL,
    Inspection,
    inspect,
    missing,
)
from merit.prometheus.polling import Poller
from merit.prometheus.preset import Name, Preset, load_preset, matcher
from merit.prometheus.sampling import COVERAGE, SHORTEST_WINDOW, Sampler, SampleRequest
from merit.prometheus.window import Span, TwoSeries, Window
from merit.stats.counts import NoSample, Sample

STALE = 60.0  # seconds after which what a poll has read counts no more
MAX_NAMES = 200  # beyond it one query for all objects is shorter than one for some


class Fleet:
    """The counts of all revisions of one metrics source.

    `matchers`: labels of the scrape targets to read. `scrape`: seconds between two samples.
    `stale`: seconds after which what a poll has read counts no more, several of its intervals.

    Polls are of two kinds, of all objects and of the exposed ones. An answer to one kind says
    nothing about the other.
    """

    def __init__(
        self,
        source: Source,
        preset: Preset | None = None,
        *,
        matchers: Mapping[str, str] | None = None,
        scrape: float = 15.0,
        stale: float = STALE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._preset = preset or load_preset()
        self._scrape = scrape
        self._selector = matcher({"job": "envoy"} if matchers is None else matchers)
        self._poller = Poller(source, self._preset, self._selector, stale=3 * scrape)
        self._stale, self._clock = stale, clock
        self._windows: dict[bool, Window] = {}  # of all objects? -> the newest window
        self._read_at: dict[bool, float] = {}
        self._failed: dict[bool, NoSample] = {}  # the kinds whose newest poll was not answered
        self._unavailable = NoSample("MetricsLost", "Prometheus was not asked yet")
        self._found = Inspection()
        self._inspected_at = -math.inf
        self._unknown_asked = False  # a sample of a revision that the self-check did not find
        self._edges = Edges()
        self._sampler = Sampler(scrape, own=self._preset.per_pod)

    async def poll(self, names: frozenset[Name] | None = None) -> None:
        """Read every metric, at one instant of Prometheus' own clock. Never raises.

        `names`: only these objects; all of them if None, or if there are many.
        """
        if names is not None and len(names) > MAX_NAMES:
            names = None
        every = names is None
        self._unavailable = await self._poll(names)
        if self._unavailable.reason:
            self._failed[every] = self._unavailable
        else:
            self._failed.pop(every, None)
            self._read_at[every] = self._clock()

    async def _poll(self, names: frozenset[Name] | None) -> NoSample:
        """Why it was not answered; without a reason if it was."""
        clock = await self._source.instant("time()")
        if clock.reason or not clock.series or not clock.series[0].samples:
            return _unanswered(clock)
        at = float(math.floor(clock.series[0].samples[0][1]))
        problem = await self._inspect(at)
        if problem is not None:
            return problem
        seconds = math.ceil(self._sampler.window_seconds(at, first=not self._windows))
        window = await self._poller.window(
            self._found, self._edges, at=at, seconds=seconds, names=names
        )
        if isinstance(window, Answer):
            return _unanswered(window)
        good, every = window.targets.get("", (1, 1))
        if good < COVERAGE * every and not self._preset.per_pod:  # pods: each revision by itself
            return NoSample("Partial", f"{good} of {every} instances of the gateway answer")
        self._windows[names is None] = window
        return NoSample("", "")

    async def _inspect(self, at: float) -> NoSample | None:
        due = at - self._inspected_at >= (
            RECHECK_INTERVAL if self._unknown_asked else CHECK_INTERVAL
        )
        if due or self._found.problem is not None:
            if at - self._inspected_at >= CHECK_INTERVAL:
                self._poller.forget_sizes()
            self._found = await inspect(self._source, self._preset, self._selector, at)
            self._inspected_at, self._unknown_asked = at, False
            if self._found.latency is not None and self._found.edges:
                self._edges.learn(self._found.latency, self._found.edges)
        if self._found.problem is not None and self._found.problem.reason == "MetricsLost":
            self._inspected_at = -math.inf  # no result: repeat it with the next poll
        return self._found.problem

    @property
    def per_pod(self) -> bool:
        """Whether these are the servers' own series, pod by pod."""
        return self._preset.per_pod

    def available(self) -> tuple[bool, str, str]:
        """Whether the last poll was answered; else the reason and a message."""
        if not self._windows or self._unavailable.reason:
            return False, self._unavailable.reason, self._unavailable.message
        return True, "Fresh", self._preset.name

    def warnings(self, edges: Mapping[str, float | None]) -> tuple[tuple[str, str], ...]:
        """(reason, sentence) for each limit (seconds) that lies between two bucket edges."""
        return self._edges.warnings(self._limits(edges))

    def sample(self, request: SampleRequest) -> Sample | NoSample:
        """What both arms did since `request.since`, cut at the newest common instant.

        Nothing new is a Sample with `at` = `since` and no signals. After a gap above ten minutes,
        and in the first sample, `since` is None: a new baseline without counts.
        """
        window = self._window((request.namespace, request.name))
        if isinstance(window, NoSample):
            return window
        serving = request.stable or request.candidate
        if serving is None:
            return NoSample("NoSeries", "no revision serves")
        lost = missing(self._preset, self._found, tuple(request.edges))
        if lost and len(lost) == len(request.edges):
            return next(iter(lost.values()))
        for short in filter(None, (request.candidate, request.stable)):
            if metric := window.unread(short):
                why = f"{request.name}-{short} has too many series of {metric} to be read"
                return NoSample("TooManySeries", why)
        beside = request.candidate if request.stable else None
        candidate = self._arm(window, request, beside) if beside else None
        stable = self._arm(window, request, serving)
        edges = self._deciding(request.edges, window.at)
        if isinstance(edges, NoSample):
            return edges
        arms = [arm for arm in (candidate, stable) if arm is not None]
        edges, less = shared_edges(
            edges, self._limits(request.edges), window.edges_of(arms), window.edges
        )
        if edges and window.edges:
            edges, gone = self._vanished(window, arms, edges)
            less |= gone
        if stable not in window.requests.arms:
            return self._without_series(window, stable)
        requests = self._found.requests
        assert requests is not None
        try:
            sample = self._sampler.sample(window, request, (candidate, stable), requests, edges)
        except TwoSeries as error:
            return NoSample("Partial", f"one target has two series of {error}")
        return replace(sample, lost=lost | less) if isinstance(sample, Sample) else sample

    def _vanished(
        self, window: Window, arms: list[str], edges: dict[str, tuple[float, float]]
    ) -> tuple[dict[str, tuple[float, float]], dict[str, NoSample]]:
        """A revision whose requests are counted without a histogram: not too few, but unknown."""
        arm = window.without_histogram(arms, window.at - 3 * self._scrape)
        if arm is None:
            return edges, {}
        self._unknown_asked = True
        assert self._found.latency is not None
        why = f"{arm} counts requests, and has no {self._found.latency.bucket}"
        return {}, {name: NoSample("NoSeries", f"{name}: {why}") for name in edges}

    def _without_series(self, window: Window, arm: str) -> NoSample:
        """No requests of this revision, or no series that would count them?"""
        self._unknown_asked = True
        others, oldest = window.requests.arms, window.at - 3 * self._scrape
        up = window.targets.get(arm) or window.targets.get("", (0, 0))
        if up[0] > 0 or window.requests.is_live(others, oldest):
            return NoSample("NoTraffic", f"no request has reached {arm} yet, or none is counted")
        if others:
            seconds = 3 * self._scrape
            return NoSample("MetricsLost", f"no target was scraped in the last {seconds:.0f}s")
        return NoSample("NoSeries", f"Prometheus has no series of {arm}")

    def idle(self, namespace: str, name: str, short: str, port: int) -> bool:
        """No request ended at this revision during the last three scrapes. Unknown is not idle."""
        window = self._window((namespace, name))
        if isinstance(window, NoSample) or not window.requests.first_seen:
            return False
        if window.unread(short):
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
        window: float = SHORTEST_WINDOW,
    ) -> dict[str, Figure]:
        """Each signal of one serving revision over the last `window` seconds, for people.

        `edges` as in SampleRequest. A signal without requests, or without data, is left out.
        """
        held = self._window((namespace, name))
        requests, latency = self._found.requests, self._found.latency
        if isinstance(held, NoSample) or requests is None:
            return {}
        arm = held.known(self._preset.arm_names(namespace, f"{name}-{short}", port))
        found = self._deciding(edges, held.at)
        deciding = {} if isinstance(found, NoSample) else found
        own = held.edges_of((arm,))
        figures: dict[str, Figure] = {}
        try:
            at = held.cut((arm,), 3 * self._scrape, latency=False)
            if at is None:
                return {}
            span = Span(at - window, at, 0.0)
            for signal, limit in edges.items():
                figure: Figure | None = None
                if limit is None and requests.counts_errors:
                    figure = counting.errors_figure(held, arm, requests, span)
                elif latency is not None and signal in deciding:
                    edge = deciding[signal][1]
                    if edge in own:
                        figure = counting.latency_figure(
                            held, arm, latency, signal=signal, edge=edge, span=span
                        )
                if figure is not None:
                    figures[signal] = figure
        except TwoSeries:
            return {}
        return figures

    def _window(self, name: Name) -> Window | NoSample:
        """The newest window with this object, or why there is none that is still renewed."""
        if self._found.problem is not None:
            return self._found.problem
        oldest = self._clock() - self._stale
        held = [kind for kind, window in self._windows.items() if window.covers(name)]
        fresh = [k for k in held if k not in self._failed and self._read_at[k] >= oldest]
        if fresh:
            return max((self._windows[kind] for kind in fresh), key=lambda window: window.at)
        failed = [self._failed[kind] for kind in (True, *held) if kind in self._failed]
        return failed[0] if failed else NoSample("MetricsLost", "Prometheus was not read lately")

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

    def _arm(self, window: Window, request: SampleRequest, short: str) -> str:
        own = request.stable_port if short == request.stable else None
        service, port = f"{request.name}-{short}", own or request.port
        return window.known(self._preset.arm_names(request.namespace, service, port))


def _unanswered(answer: Answer) -> NoSample:
    return NoSample(answer.reason or "MetricsLost", answer.message or "Prometheus has no clock")
