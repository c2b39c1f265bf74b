"""What a load test says: counts of each stage against the bars, and which stage comes next.

Standard library only: the load generator runs by the same arithmetic as the gate that judges its
report afterwards. Rates are totals in requests per second, edges and limits are milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from merit.evidence.bounds import clean_needed, surely_above, surely_within

Held = Literal["Good", "Bad", "Undecided"]

HALVINGS = 4  # R/16 is the slowest stage
BUDGET = 600.0  # seconds that all stages may take together
LEAST = 500  # requests of a stage at least, for a bar of 1 %: 299 clean ones just prove it
WARMUP = 30.0  # seconds at a quarter of the rate at most, not counted
REST = 60.0  # seconds at most, between two stages, in which the pods work off what is left
START = 180.0  # seconds for starting, and for the last answers
SPARE = LEAST / 299  # so that a few slow requests do not make every stage undecided
LOOKS = 20  # at a running stage, whether it is lost
LAG = 0.05  # of the strictest limit: a generator later than that measures itself
SENT = 0.95  # of what was due, at least
REFUSED = 0.01  # answers like 400 or 404 that are still no reason to doubt the request's body
PERIOD = 100.0  # ms: the kernel's scheduling period, in which a container may be held back
THROTTLED = 0.05  # of the generator's scheduling periods


@dataclass(frozen=True, slots=True)
class Bar:
    """A share of requests that may be bad: slower than `limit` (ms), or, without one, failed."""

    name: str
    allowed: float
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage as it went: `rps` for `s` seconds.

    `due` requests were planned, `sent` were sent, `done` of them answered well and `failed` not;
    `refused` of the done ones were answered with a 4xx that blames the request. `n` counts every
    sent request by latency: one bin per edge, and one above all of them, where the failed ones are
    too. `lag99`: how late the generator sent, ms at the 99th percentile; `throttled`: the share of
    its scheduling periods in which it was held back.
    """

    rps: float
    s: float
    due: int
    sent: int
    done: int
    failed: int
    n: tuple[int, ...]
    lag99: float = 0.0
    refused: int = 0
    throttled: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be sent: the full rate, how long a stage lasts, and what it is judged by."""

    rate: float
    duration: float
    bars: tuple[Bar, ...]
    le: tuple[float, ...]

    @property
    def warmup(self) -> float:
        """Seconds at a quarter of the rate before the first stage: half a stage, at most 30 s."""
        return min(WARMUP, self.duration / 2)

    @property
    def timeout(self) -> float:
        """Seconds until a request counts as unanswered: ten times the limit, 5 s at least."""
        limits = [bar.limit for bar in self.bars if bar.limit is not None]
        return max(10 * max(limits, default=0.0) / 1000, 5.0)

    @property
    def deadline(self) -> float:
        """Seconds until the whole test is given up: every stage, each answer that may still come,
        the rests between them, and room to start.
        """
        late = (self.timeout + REST) * 2 * (HALVINGS + 1)
        return BUDGET + self.warmup + late + START

    def lasts(self, rate: float) -> float:
        """Seconds of a stage at this rate: enough requests for the strictest bar."""
        strictest = min((bar.allowed for bar in self.bars), default=0.01)
        least = max(LEAST, math.ceil(SPARE * clean_needed(strictest)))
        return max(self.duration, least / rate)


def bad_of(stage: Stage, le: Sequence[float], bar: Bar) -> int:
    """Requests of the stage that are bad by this bar.

    A limit between two edges is judged at the lower one: slower than it truly is, never faster.
    """
    if bar.limit is None:
        return stage.failed
    within = sum(1 for edge in le if edge <= bar.limit)
    return sum(stage.n[within:])


def answer(stage: Stage, le: Sequence[float], bar: Bar) -> Held:
    """The stage against one bar, by an exact bound on its bad share, 95 % on either side."""
    if stage.sent == 0:
        return "Undecided"
    bad = bad_of(stage, le, bar)
    if surely_above(bad, stage.sent, bar.allowed):
        return "Bad"
    return "Good" if surely_within(bad, stage.sent, bar.allowed) else "Undecided"


def held(stage: Stage, le: Sequence[float], bars: Sequence[Bar]) -> Held:
    """The stage against all bars: any Bad decides, then any Undecided."""
    answers = {answer(stage, le, bar) for bar in bars}
    return "Bad" if "Bad" in answers else "Undecided" if "Undecided" in answers else "Good"


def hopeless(*, failed: int, beyond: int, due: int, bars: Sequence[Bar]) -> bool:
    """Whether a running stage is Bad whatever is still to come, and whatever a bar is relaxed to.

    Of `due` requests so many have failed, and so many have failed or were slower than every edge.
    """
    return any(
        surely_above(failed if bar.limit is None else beyond, due, bar.allowed) for bar in bars
    )


def ailing(stage: Stage, le: Sequence[float], bars: Sequence[Bar]) -> tuple[str, str]:
    """Why this stage says nothing about the model: a reason and a sentence, or two empty words.

    A late or throttled generator makes the server look slower than it is. So it matters only where
    that could have decided: what holds in spite of it holds all the more, and what breaks a bar by
    far more than the generator was late breaks it. A server that takes all of a node's CPU makes
    every neighbour late, and is to be told so.
    """
    if stage.sent < SENT * stage.due:
        why = f"it sent {stage.sent:,} of {stage.due:,} requests that were due"
    elif held(stage, le, bars) != "Good" and not _bad_beyond_lag(stage, le, bars):
        why = _late(stage, bars)
    else:
        why = ""
    if why:
        return "GeneratorSaturated", f"the load generator could not keep up: {why}"
    if stage.refused > REFUSED * stage.sent:
        share = f"{stage.refused:,} of {stage.sent:,}"
        return "BadRequest", f"the server refuses the request: {share} answers are 4xx"
    return "", ""


def _bad_beyond_lag(stage: Stage, le: Sequence[float], bars: Sequence[Bar]) -> bool:
    """Whether a bar is broken even if every request is excused as far as the generator was late.

    Twice its lag, as it may have read as late as it sent, and the 1 % of requests beyond p99.
    """
    excuse = 2 * stage.lag99 + (PERIOD if stage.throttled > THROTTLED else 0.0)
    beyond = math.ceil(stage.sent / 100)
    for bar in bars:
        if bar.limit is None:
            bad = stage.failed
        else:
            within = sum(1 for edge in le if edge < bar.limit + excuse) + 1
            bad = max(stage.failed, sum(stage.n[within:])) - beyond
        if bad > 0 and surely_above(bad, stage.sent, bar.allowed):
            return True
    return False


def _late(stage: Stage, bars: Sequence[Bar]) -> str:
    limits = [bar.limit for bar in bars if bar.limit is not None]
    most = LAG * min(limits) if limits else math.inf
    if stage.throttled > THROTTLED:
        return f"its CPU was throttled in {stage.throttled:.0%} of all periods"
    if stage.lag99 > most:
        return f"it sent {stage.lag99:.3g} ms late at p99, where {most:.3g} ms would be honest"
    return ""


def next_stage(plan: Plan, gone: Sequence[Stage]) -> tuple[float, float] | None:
    """Rate and seconds of the next stage, None when the test is over.

    The full rate first, then half the rate, up to four times, until one holds, as long as the
    budget lasts. Undecided is repeated once, at double length, where it decides: at the full rate,
    and where no slower one follows. In between half the rate takes no longer, and is likelier to
    hold.
    """
    left = BUDGET - sum(stage.s for stage in gone)
    if not gone:
        return plan.rate, min(plan.lasts(plan.rate), left)
    last = gone[-1]
    if ailing(last, plan.le, plan.bars)[0]:
        return None
    verdict = held(last, plan.le, plan.bars)
    if verdict == "Good":
        return None
    rate = last.rps / 2
    slower = rate >= plan.rate / 2**HALVINGS and plan.lasts(rate) <= left
    repeated = len(gone) > 1 and gone[-2].rps == last.rps
    decides = len(gone) == 1 or not slower
    if verdict == "Undecided" and decides and not repeated and 2 * last.s <= left:
        return last.rps, 2 * last.s
    return (rate, plan.lasts(rate)) if slower else None


def edges(limits: Sequence[float]) -> tuple[float, ...]:
    """Upper edges of the histogram, ms: every limit, and a grid around them for suggestions."""
    around = (0.1, 0.25, 0.5, 0.75, 0.9, 1.1, 1.2, 1.35, 1.5, 1.75, 2, 2.5, 3, 4, 5, 7, 10)
    of = sorted(set(limits)) or [100.0]
    outer = {limit * part for limit in (of[0], of[-1]) for part in around}
    grid = {float(f"{edge:.3g}") for edge in outer} | set(of)
    return tuple(sorted(grid))
