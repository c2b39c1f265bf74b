"""The plan of a load test: the verdict on each stage, and which stage comes next.

Standard library only: the load generator uses the same arithmetic as the gate that judges its
report afterwards. Rates are totals in requests per second, edges and limits are milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from merit.stats.bounds import surely_above, surely_within, trials_without_failure

StageVerdict = Literal["Good", "Bad", "Undecided"]

HALVINGS = 4  # R/16 is the slowest stage
BUDGET = 600.0  # seconds that all stages may take together
LEAST = 500  # requests of a stage at least, for a bar of 1 %: 299 clean ones just prove it
WARMUP = 30.0  # seconds at a quarter of the rate at most, not counted
REST = 60.0  # seconds at most between two stages, in which the pods finish their queues
START = 180.0  # seconds for starting, and for the last answers
SPARE = LEAST / 299  # so that a few slow requests do not leave every stage undecided
CHECKS = 20  # of a running stage, whether it is surely bad
LAG = 0.05  # of the strictest limit: how late the generator may be at p99
SENT = 0.95  # of what was due, at least
REFUSED = 0.01  # share of answers like 400 or 404 that is tolerated
PERIOD = 100.0  # ms: the kernel's scheduling period, in which a container may be throttled
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

    `due` requests were planned, `sent` were sent, `done` of them were answered and `failed` not;
    `refused` of the done ones were answered with what blames the request (4xx, redirects). `n`
    counts every sent request by latency: one bin per edge, and one above all of them, where the
    failed ones are too. `lag99`: how late the generator sent, ms at the 99th percentile;
    `throttled`: the share of its scheduling periods in which it was throttled.
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
        the rests between them, and time to start.
        """
        late = (self.timeout + REST) * 2 * (HALVINGS + 1)
        return BUDGET + self.warmup + late + START

    def stage_seconds(self, rate: float) -> float:
        """Seconds of a stage at this rate: enough requests for the strictest bar."""
        strictest = min((bar.allowed for bar in self.bars), default=0.01)
        least = max(LEAST, math.ceil(SPARE * trials_without_failure(strictest)))
        return max(self.duration, least / rate)


def bad_of(stage: Stage, le: Sequence[float], bar: Bar) -> int:
    """Requests of the stage that are bad by this bar.

    A limit between two edges is judged at the lower one: never milder than the bar.
    """
    if bar.limit is None:
        return stage.failed
    within = sum(1 for edge in le if edge <= bar.limit)
    return sum(stage.n[within:])


def bar_verdict(stage: Stage, le: Sequence[float], bar: Bar) -> StageVerdict:
    """The stage against one bar, by an exact bound on its bad share, 95 % on either side."""
    if stage.sent == 0:
        return "Undecided"
    bad = bad_of(stage, le, bar)
    if surely_above(bad, stage.sent, bar.allowed):
        return "Bad"
    return "Good" if surely_within(bad, stage.sent, bar.allowed) else "Undecided"


def stage_verdict(stage: Stage, le: Sequence[float], bars: Sequence[Bar]) -> StageVerdict:
    """The stage against all bars: any Bad decides, then any Undecided."""
    answers = {bar_verdict(stage, le, bar) for bar in bars}
    return "Bad" if "Bad" in answers else "Undecided" if "Undecided" in answers else "Good"


def surely_bad(*, failed: int, beyond: int, due: int, bars: Sequence[Bar]) -> bool:
    """Whether a running stage is Bad whatever follows, and however far a bar is relaxed.

    `failed` of `due` requests have failed; `beyond` have failed or were slower than every edge.
    """
    return any(
        surely_above(failed if bar.limit is None else beyond, due, bar.allowed) for bar in bars
    )


def invalid_reason(stage: Stage, le: Sequence[float], bars: Sequence[Bar]) -> tuple[str, str]:
    """Why this stage shows nothing about the model: (reason, sentence), or two empty strings.

    A late or throttled generator makes the server look slower than it is. That matters only where
    it could have decided: a stage that holds in spite of it holds, and a bar that is broken by far
    more than the generator was late is broken. A server that uses all CPU of a node makes its
    neighbours late, too, and must not be excused for that.
    """
    if stage.sent < SENT * stage.due:
        why = f"it sent {stage.sent:,} of {stage.due:,} requests that were due"
    elif stage_verdict(stage, le, bars) != "Good" and not _bad_beyond_lag(stage, le, bars):
        why = _late(stage, bars)
    else:
        why = ""
    if why:
        return "GeneratorSaturated", f"the load generator could not keep up: {why}"
    if stage.refused > REFUSED * stage.sent:
        share = f"{stage.refused:,} of {stage.sent:,}"
        return "BadRequest", f"the server refuses the request: {share} answers are not 2xx"
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


def next_stage(plan: Plan, done: Sequence[Stage]) -> tuple[float, float] | None:
    """Rate and seconds of the next stage, None when the test is over.

    The full rate first, then half the rate, up to four times, until one holds, as long as the
    budget lasts. Undecided is repeated once, at double length, where it decides: at the full rate,
    and where no slower one follows. In between, half the rate takes no longer and is more likely
    to hold.
    """
    left = BUDGET - sum(stage.s for stage in done)
    if not done:
        return plan.rate, min(plan.stage_seconds(plan.rate), left)
    last = done[-1]
    if invalid_reason(last, plan.le, plan.bars)[0]:
        return None
    verdict = stage_verdict(last, plan.le, plan.bars)
    if verdict == "Good":
        return None
    rate = last.rps / 2
    slower = rate >= plan.rate / 2**HALVINGS and plan.stage_seconds(rate) <= left
    repeated = len(done) > 1 and done[-2].rps == last.rps
    decides = len(done) == 1 or not slower
    if verdict == "Undecided" and decides and not repeated and 2 * last.s <= left:
        return last.rps, 2 * last.s
    return (rate, plan.stage_seconds(rate)) if slower else None


def edges(limits: Sequence[float]) -> tuple[float, ...]:
    """Upper edges of the histogram, ms: every limit, and a grid around them for suggestions."""
    around = (0.1, 0.25, 0.5, 0.75, 0.9, 1.1, 1.2, 1.35, 1.5, 1.75, 2, 2.5, 3, 4, 5, 7, 10)
    of = sorted(set(limits)) or [100.0]
    outer = {limit * part for limit in (of[0], of[-1]) for part in around}
    grid = {float(f"{edge:.3g}") for edge in outer} | set(of)
    return tuple(sorted(grid))
