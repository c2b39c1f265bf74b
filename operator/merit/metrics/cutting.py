"""One object's counts, cut from the window of the fleet: nothing is lost, nothing counts twice."""

from __future__ import annotations

from collections.abc import Mapping

from merit.evidence.counts import NoSample, Sample
from merit.metrics import counting
from merit.metrics.arms import FleetArms
from merit.metrics.preset import Requests
from merit.metrics.window import Span, Window

Whose = tuple[str, str, str]  # namespace, name, candidate: the watch and a canary each have theirs
LONGEST = 600.0  # seconds: after a longer gap counters are based anew, not stretched
SHORTEST = 60.0
ASKED = 120.0  # seconds after which an object that no longer asks does not widen the window
TORN = 3  # looks that wait for a torn scrape to mend before the signal is left out once
COVERAGE = 0.8  # of the scrape targets must answer, or what they tell is a part


class Cutter:
    """Remembers what each object consumed, so that the next window reaches back far enough.

    `scrape`: seconds between two samples. `own`: every target is a pod of one revision.
    """

    def __init__(self, scrape: float, *, own: bool) -> None:
        self._scrape, self._own = scrape, own
        self._since: dict[Whose, tuple[float, float]] = {}
        self._torn: dict[Whose, int] = {}

    def cut(
        self,
        window: Window,
        arms: FleetArms,
        whose: tuple[str | None, str],
        requests: Requests,
        edges: Mapping[str, tuple[float, float]],
    ) -> Sample | NoSample:
        """What both arms (`whose`: candidate or None, stable) did since `arms.since`.

        `edges`: below and above each limit on latency, in the histogram's unit. Raises TwoSeries.
        """
        names = tuple(arm for arm in whose if arm is not None)
        for arm in names:
            good, every = window.targets.get(arm, (1, 1))
            if good < COVERAGE * every:
                return NoSample("Partial", f"{good} of {every} pods of {arm} are scraped")
        at = window.cut(names, 3 * self._scrape, latency=bool(edges))
        if at is None:
            old = window.at - max(window.requests.newest(names).values())
            return NoSample("MetricsLost", f"the newest sample is {old:.0f}s old")
        key = (arms.namespace, arms.name, arms.candidate or "")
        if arms.since is None or at - arms.since > LONGEST:
            self._since[key] = (at, window.at)
            return Sample(at, None, {})
        self._since[key] = (arms.since, window.at)
        needed = {edge for both in edges.values() for edge in both}
        reaches = window.start <= arms.since - self._scrape
        nothing = Sample(arms.since, arms.since, {})
        if at <= arms.since or not reaches or not needed <= window.edges:
            return nothing  # the next tick reaches back far enough and asks for these edges
        span = Span(arms.since, at, arms.candidate_started_at, self._own)
        signals = {
            name: counting.pair(window, whose, requests, edges.get(name), span)
            for name, limit in arms.edges.items()
            if limit is None or name in edges
        }
        torn = {name for name, pair in signals.items() if counting.torn(pair)}
        if torn:
            self._torn[key] = self._torn.get(key, 0) + 1
            if self._torn[key] < TORN:
                return nothing
        self._torn.pop(key, None)
        return Sample(at, arms.since, {k: v for k, v in signals.items() if k not in torn})

    def reach(self, at: float, *, first: bool) -> float:
        """How far back to read: past the last sample at or before the oldest `since` in use."""
        margin = 2 * self._scrape + 5
        if first:
            return LONGEST + margin  # after a restart nobody has asked yet
        self._since = {k: v for k, v in self._since.items() if at - v[1] < ASKED}
        oldest = min((since for since, _ in self._since.values()), default=at)
        return min(LONGEST, max(SHORTEST, at - oldest)) + margin
