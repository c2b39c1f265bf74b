"""One object's sample, cut from the window of the fleet: no request is lost, none counts twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from merit.prometheus import counting
from merit.prometheus.preset import Requests
from merit.prometheus.window import Span, Window
from merit.stats.counts import NoSample, Sample

SampleKey = tuple[str, str, str]  # namespace, name, candidate: live and rollout samples differ
LONGEST_GAP = 600.0  # seconds: after a longer gap there is a new baseline, without counts
SHORTEST_WINDOW = 60.0
FORGET = 120.0  # seconds after which an object without requests for samples widens no window
TORN_LIMIT = 3  # polls to wait for a torn scrape to be complete before the signal is left out once
COVERAGE = 0.8  # of the scrape targets must answer, or the counts are partial


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """Which two revisions of which object, and since when.

    `candidate`, `stable`: 8 characters of the revision, or None; a single one is reported as
    `stable`. `port`: of the candidate's Service, and of stable's unless `stable_port` differs.
    `since`: what was consumed already, None at first. `edges`: each signal's limit in seconds, None
    for errors. `candidate_started_at`: a series born after it began at 0. All times in Unix seconds
    of Prometheus' clock.
    """

    namespace: str
    name: str
    candidate: str | None
    stable: str | None
    port: int
    since: float | None = None
    edges: Mapping[str, float | None] = field(default_factory=dict)
    candidate_started_at: float | None = None
    stable_port: int | None = None


class Sampler:
    """Remembers what each object consumed, so that the next window reaches back far enough.

    `scrape`: seconds between two samples. `own`: every target is a pod of one revision.
    """

    def __init__(self, scrape: float, *, own: bool) -> None:
        self._scrape, self._own = scrape, own
        self._since: dict[SampleKey, tuple[float, float]] = {}
        self._torn: dict[SampleKey, int] = {}

    def sample(
        self,
        window: Window,
        request: SampleRequest,
        arms: tuple[str | None, str],
        requests: Requests,
        edges: Mapping[str, tuple[float, float]],
    ) -> Sample | NoSample:
        """What both arms (candidate or None, stable) did since `request.since`.

        `edges`: below and above each limit on latency, in the histogram's unit. Raises TwoSeries.
        """
        names = tuple(arm for arm in arms if arm is not None)
        for arm in names:
            good, every = window.targets.get(arm, (1, 1))
            if good < COVERAGE * every:
                return NoSample("Partial", f"{good} of {every} pods of {arm} are scraped")
        at = window.cut(names, 3 * self._scrape, latency=bool(edges))
        if at is None:
            old = window.at - max(window.requests.newest(names).values())
            return NoSample("MetricsLost", f"the newest sample is {old:.0f}s old")
        key = (request.namespace, request.name, request.candidate or "")
        if request.since is None or at - request.since > LONGEST_GAP:
            self._since[key] = (at, window.at)
            return Sample(at, None, {})
        self._since[key] = (request.since, window.at)
        needed = {edge for both in edges.values() for edge in both}
        reaches = window.start <= request.since - self._scrape
        nothing_new = Sample(request.since, request.since, {})
        if at <= request.since or not reaches or not needed <= window.edges:
            return nothing_new  # the next poll reaches back far enough and asks for these edges
        span = Span(request.since, at, request.candidate_started_at, self._own)
        signals = {
            name: counting.pair(window, arms, requests, edges.get(name), span)
            for name, limit in request.edges.items()
            if limit is None or name in edges
        }
        torn = {name for name, pair in signals.items() if counting.torn(pair)}
        if torn:
            self._torn[key] = self._torn.get(key, 0) + 1
            if self._torn[key] < TORN_LIMIT:
                return nothing_new
        self._torn.pop(key, None)
        return Sample(at, request.since, {k: v for k, v in signals.items() if k not in torn})

    def window_seconds(self, at: float, *, first: bool) -> float:
        """How far back to read: past the last sample at or before the oldest `since` in use.

        `first`: nothing was read yet, as after a restart, so no object has asked.
        """
        margin = 2 * self._scrape + 5
        if first:
            return LONGEST_GAP + margin
        self._since = {k: v for k, v in self._since.items() if at - v[1] < FORGET}
        oldest = min((since for since, _ in self._since.values()), default=at)
        return min(LONGEST_GAP, max(SHORTEST_WINDOW, at - oldest)) + margin
