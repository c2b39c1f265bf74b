"""The message of a verdict: one line, counts first, confidence second.

What the confidence means, and what not: docs/concepts/statistics.md, "From evidence to a verdict".
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from merit.stats.counts import Counts
from merit.stats.early_failure import EarlyFailure
from merit.stats.signal import Bar, SignalEvidence
from merit.stats.terms import Constants


def confidence(log_e: float) -> str:
    """1 - 1/M in percent for the e-value M, never rounded up: "99.2%", ">99.99%"."""
    value = -math.expm1(-max(0.0, log_e)) * 100
    if value > 99.99:
        return ">99.99%"
    digits = 2 if value > 99.9 else 1
    return f"{math.floor(value * 10**digits) / 10**digits:.{digits}f}%"


def share(value: float) -> str:
    """A fraction in percent with two significant digits: 0.0012 -> "0.12%"."""
    percent = value * 100
    if percent <= 0:
        return "0%"
    if percent >= 10:
        return f"{percent:.0f}%"
    digits = max(1, 1 - math.floor(math.log10(percent)))
    return f"{percent:.{min(digits, 4)}f}%"


def count(value: float) -> str:
    """1240.0 -> "1,240"."""
    return f"{value:,.0f}"


def duration(seconds: float) -> str:
    """About how long: "40s", "2m", "3h"."""
    if seconds < 90:
        return f"{max(1, math.ceil(seconds))}s"
    return f"{math.ceil(seconds / 60)}m" if seconds < 5400 else f"{math.ceil(seconds / 3600)}h"


def noun(bar: Bar) -> str:
    """What is bad about a request: errors, or slowness."""
    return "slow requests" if bar.latency else bar.name


def _bar_text(bar: Bar) -> str:
    return bar.text or share(bar.limit)


def breached(signal: SignalEvidence, confidence: str) -> str:
    """The bar is broken: the measured share, the bar, and on how many requests."""
    bar, mine, theirs = signal.spec, signal.candidate, signal.stable
    beside = f"stable {count(theirs.bad)} of {count(theirs.n)}"
    if bar.latency:
        quantile = bar.name.rpartition("/")[2]
        return (
            f"{quantile} > {_bar_text(bar)}, {confidence} confidence, {count(mine.n)} requests "
            f"({count(mine.bad)} slow; {beside})"
        )
    return (
        f"{bar.name} {share(mine.share)} > {_bar_text(bar)}, {confidence} confidence; "
        f"{count(mine.bad)} of {count(mine.n)} requests failed ({beside})"
    )


def alarmed(bar: Bar, seen: Counts) -> str:
    """An alarm of live monitoring: one arm alone, so no confidence is claimed."""
    of_all = f"{count(seen.bad)} of {count(seen.n)} requests"
    mine = share(seen.share)
    if bar.latency:
        quantile = bar.name.rpartition("/")[2]
        tolerated = share(bar.limit)
        return f"{quantile} > {_bar_text(bar)}: {of_all} slow ({mine}, {tolerated} is tolerated)"
    return f"{bar.name} {mine} > {_bar_text(bar)}: {of_all} failed"


def worse(signal: SignalEvidence, confidence: str, constants: Constants) -> str:
    """The candidate is worse than stable by more than is tolerated."""
    mine, theirs = signal.candidate, signal.stable
    allowed = theirs.share * (1 + constants.tolerance) + constants.slack
    did = "were slow" if signal.spec.latency else "failed"
    return (
        f"{noun(signal.spec)} {share(mine.share)} vs stable {share(theirs.share)} "
        f"(allowed {share(allowed)}), {confidence} confidence; "
        f"{count(mine.bad)} of {count(mine.n)} requests {did}"
    )


def early_failure(early: EarlyFailure, stable_share: float) -> str:
    """Most requests fail from the start."""
    seen = Counts(early.n, early.bad)
    return (
        f"{count(seen.bad)} of {count(seen.n)} requests failed for {early.seconds:.0f}s "
        f"({share(seen.share)}; stable {share(stable_share)}): dead on arrival"
    )


def stable_failing(signal: SignalEvidence) -> str:
    """Both arms are in trouble."""
    mine, theirs = share(signal.candidate.share), share(signal.stable.share)
    word = noun(signal.spec)
    return f"stable fails too ({word}: canary {mine}, stable {theirs}); a rollback would not help"


def both_fail(signal: SignalEvidence) -> str:
    """Both revisions of a comparison fail in the same minutes."""
    mine, theirs = share(signal.candidate.share), share(signal.stable.share)
    return f"its predecessor fails alike ({noun(signal.spec)}: {mine}, predecessor {theirs})"


def bounds(signals: Sequence[tuple[Bar, float]], confidence: str, n: float) -> str:
    """Every signal is proven: (bar, proven margin) pairs as one sentence."""
    if not signals:
        return "nothing to prove"
    parts = ", ".join(f"{noun(bar)} at most {points(margin)}" for bar, margin in signals)
    more = " each" if len(signals) > 1 else ""
    return f"{parts} points above stable ({confidence}{more}), {count(n)} requests"


def missing(
    bar: Bar, known: float | None, need: float, confidence: str, seconds: float | None
) -> str:
    """Not proven yet: the proven margin, the needed one, and how long it takes at this traffic."""
    when = "not at this traffic" if seconds is None else f"about {duration(seconds)} more"
    if known is None:
        return (
            f"{noun(bar)}: need at most {points(need)} points above stable ({confidence}); {when}"
        )
    return (
        f"{noun(bar)} at most {points(known)} points above stable ({confidence}), "
        f"need {points(need)}; {when}"
    )


def points(margin: float) -> str:
    """A margin in percentage points, rounded up, so that the claim holds."""
    return f"{math.ceil(round(margin * 1000, 6)) / 10:.1f}"
