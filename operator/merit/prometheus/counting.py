"""From a window to counts: what failed, what was slow, and what is displayed. Pure."""

from __future__ import annotations

import math

from merit.policy.state.measurements import Figure
from merit.prometheus.preset import Latency, Requests
from merit.prometheus.window import Span, Window, number_of
from merit.stats.counts import ArmPair, Counts
from merit.stats.histogram import format_seconds, quantile
from merit.stats.sentences import share


def failed(window: Window, arm: str | None, requests: Requests, span: Span) -> Counts:
    """Requests, and those of a failing class. An absent class is zero; so is an absent arm."""
    if arm is None:
        return Counts()
    increases = list(window.requests.increases(arm, span))
    return Counts(
        n=sum(more for _, more in increases),
        bad=sum(more for class_, more in increases if requests.bad(class_)),
    )


def slow(window: Window, arm: str | None, edge: float, span: Span) -> Counts:
    """Requests, and those slower than `edge`, both from the histogram's own instant."""
    if arm is None:
        return Counts()
    buckets = cumulative(window, arm, span)
    beyond = window.also_slow.total(arm, span)
    total = buckets.get(math.inf, 0.0)
    return Counts(n=total + beyond, bad=total - buckets.get(edge, 0.0) + beyond)


def cumulative(window: Window, arm: str, span: Span) -> dict[float, float]:
    """Increases by upper edge, summed over targets."""
    increases: dict[float, float] = {}
    for key, more in window.buckets.increases(arm, span):
        edge = number_of(key)
        increases[edge] = increases.get(edge, 0.0) + more
    return increases


def pair(
    window: Window,
    arms: tuple[str | None, str],
    requests: Requests,
    edges: tuple[float, float] | None,
    span: Span,
) -> ArmPair:
    """The counts of both arms; `edges`: below and above the limit, None for errors."""
    if edges is None:
        mine, theirs = (failed(window, arm, requests, span) for arm in arms)
        return ArmPair(mine, theirs, mine, theirs)
    below, above = ([slow(window, arm, edge, span) for arm in arms] for edge in edges)
    return ArmPair(above[0], above[1], below[0], below[1])


def torn(pair: ArmPair) -> bool:
    """Whether there are more bad requests than requests: the parts are not of one instant."""
    every = (pair.candidate, pair.stable, pair.candidate_below, pair.stable_below)
    return any(counts.bad > counts.n or counts.bad < 0 for counts in every)


def errors_figure(window: Window, arm: str, requests: Requests, span: Span) -> Figure | None:
    """The share of failing requests, for display; None without requests."""
    counts = failed(window, arm, requests, span)
    if counts.n <= 0:
        return None
    part = min(1.0, counts.bad / counts.n)
    return Figure(share=part, n=round(counts.n), value=share(part))


def latency_figure(
    window: Window, arm: str, latency: Latency, *, signal: str, edge: float, span: Span
) -> Figure | None:
    """The share of slow requests and the quantile, for display; None without requests."""
    counts = slow(window, arm, edge, span)
    if counts.n <= 0:
        return None
    value = _quantile(window, latency, arm, signal, span)
    return Figure(share=min(1.0, counts.bad / counts.n), n=round(counts.n), value=value)


def _quantile(window: Window, latency: Latency, arm: str, signal: str, span: Span) -> str:
    q = float(signal.rpartition("/p")[2] or "99") / 100
    beyond = window.also_slow.total(arm, span)
    buckets = {latency.seconds(e): n for e, n in cumulative(window, arm, span).items()}
    if not buckets:
        return ""
    buckets[math.inf] = buckets.get(math.inf, 0.0) + beyond
    lowest = min(buckets)
    if buckets[lowest] >= q * buckets[math.inf] and not math.isinf(lowest):
        return f"<= {format_seconds(lowest)}"  # lower edges were not read
    return quantile(q, buckets) or ""
