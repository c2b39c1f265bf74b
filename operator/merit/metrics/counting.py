"""From a window to counts: what failed, what was slow, and what people are shown. Pure."""

from __future__ import annotations

import math

from merit.evidence.counts import ArmPair, Counts
from merit.evidence.quantile import quantile, seconds_text
from merit.evidence.sentences import share
from merit.metrics.preset import Latency, Requests
from merit.metrics.window import Span, Window, number_of
from merit.policy.observed import Figure


def failed(window: Window, arm: str | None, requests: Requests, span: Span) -> Counts:
    """Requests, and those of a failing class. An absent class is zero; so is an absent arm."""
    if arm is None:
        return Counts()
    grown = list(window.requests.increases(arm, span))
    return Counts(
        n=sum(more for _, more in grown),
        bad=sum(more for class_, more in grown if requests.bad(class_)),
    )


def slow(window: Window, arm: str | None, edge: float, span: Span) -> Counts:
    """Requests, and those slower than `edge`, both from the histogram's own instant."""
    if arm is None:
        return Counts()
    grown = cumulative(window, arm, span)
    beyond = window.also_slow.total(arm, span)
    every = grown.get(math.inf, 0.0)
    return Counts(n=every + beyond, bad=every - grown.get(edge, 0.0) + beyond)


def cumulative(window: Window, arm: str, span: Span) -> dict[float, float]:
    """Increases by upper edge, summed over targets."""
    grown: dict[float, float] = {}
    for key, more in window.buckets.increases(arm, span):
        edge = number_of(key)
        grown[edge] = grown.get(edge, 0.0) + more
    return grown


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
    """More bad requests than requests: the parts are not of one instant."""
    every = (pair.candidate, pair.stable, pair.candidate_below, pair.stable_below)
    return any(counts.bad > counts.n or counts.bad < 0 for counts in every)


def errors_figure(window: Window, arm: str, requests: Requests, span: Span) -> Figure | None:
    """The share of failing requests, for people; None without requests."""
    seen = failed(window, arm, requests, span)
    if seen.n <= 0:
        return None
    part = min(1.0, seen.bad / seen.n)
    return Figure(share=part, n=round(seen.n), value=share(part))


def latency_figure(
    window: Window, arm: str, latency: Latency, *, signal: str, edge: float, span: Span
) -> Figure | None:
    """The share of slow requests and the quantile, for people; None without requests."""
    seen = slow(window, arm, edge, span)
    if seen.n <= 0:
        return None
    value = _quantile(window, latency, arm, signal, span)
    return Figure(share=min(1.0, seen.bad / seen.n), n=round(seen.n), value=value)


def _quantile(window: Window, latency: Latency, arm: str, signal: str, span: Span) -> str:
    q = float(signal.rpartition("/p")[2] or "99") / 100
    beyond = window.also_slow.total(arm, span)
    buckets = {latency.seconds(e): n for e, n in cumulative(window, arm, span).items()}
    if not buckets:
        return ""
    buckets[math.inf] = buckets.get(math.inf, 0.0) + beyond
    lowest = min(buckets)
    if buckets[lowest] >= q * buckets[math.inf] and not math.isinf(lowest):
        return f"<= {seconds_text(lowest)}"  # edges below were not asked for
    return quantile(q, buckets) or ""
