"""What a verdict says: one line, counts first, confidence second, fit for `kubectl get`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from merit.evidence.constants import Constants
from merit.evidence.counts import Counts
from merit.evidence.signal import Bar, SignalScores


def confidence(log_m: float) -> str:
    """1 - 1/M in percent, never rounded up: "99.2%", ">99.99%"."""
    value = -math.expm1(-max(0.0, log_m)) * 100
    if value > 99.99:
        return ">99.99%"
    digits = 2 if value > 99.9 else 1
    return f"{math.floor(value * 10**digits) / 10**digits:.{digits}f}%"


def share(value: float) -> str:
    """A fraction in percent with two digits that matter: 0.0012 -> "0.12%"."""
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


def of(bad: float, n: float) -> float:
    """The share, 0 without requests."""
    return bad / n if n > 0 else 0.0


def noun(bar: Bar) -> str:
    """What is bad about a request: errors, or slowness."""
    return "slow requests" if bar.latency else bar.name


def _bar_text(bar: Bar) -> str:
    return bar.text or share(bar.limit)


def breached(signal: SignalScores, sure: str) -> str:
    """The bar is broken: what was seen, against what, on how many requests."""
    bar, mine, theirs = signal.spec, signal.candidate, signal.stable
    beside = f"stable {count(theirs.bad)} of {count(theirs.n)}"
    if bar.latency:
        quantile = bar.name.rpartition("/")[2]
        return (
            f"{quantile} > {_bar_text(bar)}, {sure} confidence, {count(mine.n)} requests "
            f"({count(mine.bad)} slow; {beside})"
        )
    return (
        f"{bar.name} {share(of(mine.bad, mine.n))} > {_bar_text(bar)}, {sure} confidence; "
        f"{count(mine.bad)} of {count(mine.n)} requests failed ({beside})"
    )


def alarmed(bar: Bar, seen: Counts) -> str:
    """The watch's alarm: one arm alone, so no comparison and no confidence is claimed."""
    of_all = f"{count(seen.bad)} of {count(seen.n)} requests"
    mine = share(of(seen.bad, seen.n))
    if bar.latency:
        quantile = bar.name.rpartition("/")[2]
        tolerated = share(bar.limit)
        return f"{quantile} > {_bar_text(bar)}: {of_all} slow ({mine}, {tolerated} is tolerated)"
    return f"{bar.name} {mine} > {_bar_text(bar)}: {of_all} failed"


def worse(signal: SignalScores, sure: str, constants: Constants) -> str:
    """The candidate is worse than stable by more than is tolerated."""
    mine, theirs = signal.candidate, signal.stable
    base = of(theirs.bad, theirs.n)
    allowed = base * (1 + constants.tolerance) + constants.slack
    did = "were slow" if signal.spec.latency else "failed"
    return (
        f"{noun(signal.spec)} {share(of(mine.bad, mine.n))} vs stable {share(base)} "
        f"(allowed {share(allowed)}), {sure} confidence; "
        f"{count(mine.bad)} of {count(mine.n)} requests {did}"
    )


def dead(n: float, bad: float, seconds: float, stable_share: float) -> str:
    """Most requests fail from the start."""
    return (
        f"{count(bad)} of {count(n)} requests failed for {seconds:.0f}s "
        f"({share(of(bad, n))}; stable {share(stable_share)}): dead on arrival"
    )


def stable_failing(signal: SignalScores) -> str:
    """Both arms are in trouble."""
    mine, theirs = _both(signal)
    word = noun(signal.spec)
    return f"stable fails too ({word}: canary {mine}, stable {theirs}); a rollback would not help"


def alike(signal: SignalScores) -> str:
    """Two revisions fail in the same minutes, after one of them has served for long."""
    mine, theirs = _both(signal)
    return f"its predecessor fails alike ({noun(signal.spec)}: {mine}, predecessor {theirs})"


def _both(signal: SignalScores) -> tuple[str, str]:
    mine, theirs = signal.candidate, signal.stable
    return share(of(mine.bad, mine.n)), share(of(theirs.bad, theirs.n))


def bounds(signals: Sequence[tuple[Bar, float]], each: str, n: float) -> str:
    """Everything is proven: (bar, margin) pairs, as one sentence."""
    if not signals:
        return "nothing to prove"
    parts = ", ".join(f"{noun(bar)} at most {points(margin)}" for bar, margin in signals)
    more = " each" if len(signals) > 1 else ""
    return f"{parts} points above stable ({each}{more}), {count(n)} requests"


def missing(bar: Bar, known: float | None, need: float, each: str, seconds: float | None) -> str:
    """Not proven yet: what is known, what is needed, and how long it takes at this traffic."""
    when = "not at this traffic" if seconds is None else f"about {duration(seconds)} more"
    if known is None:
        return f"{noun(bar)}: need at most {points(need)} points above stable ({each}); {when}"
    return (
        f"{noun(bar)} at most {points(known)} points above stable ({each}), "
        f"need {points(need)}; {when}"
    )


def points(margin: float) -> str:
    """A margin in percentage points, rounded up: what is claimed must hold."""
    return f"{math.ceil(round(margin * 1000, 6)) / 10:.1f}"
