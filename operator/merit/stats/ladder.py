"""The ladder of weights: which step is entered first, and how much harm each step may risk.

See docs/concepts/statistics.md, "The ladder and its margins".
"""

from __future__ import annotations

from collections.abc import Sequence

ENOUGH_RPS = 0.5  # requests per second of the candidate that give evidence in useful time
FIRST_AT_MOST = 25  # percent: a rollout never begins above this by itself
BAD_PER_SECOND = 3 / 60  # harm that is always tolerated: 3 bad requests a minute
WIDEST = 0.5  # the largest margin


def ladder(steps: Sequence[int], holdback_weight: int) -> tuple[int, ...]:
    """`steps` in percent, then 100 % less the holdback; steps at or above that last one go."""
    last = 100 - holdback_weight
    return (*(step for step in steps if step < last), last)


def first_step(ladder: Sequence[int], rps: float | None, explicit: bool) -> int:
    """Index of the step a rollout begins with.

    Declared steps (`explicit`) begin with the first. Else it is the smallest that gives the
    candidate half a request per second at `rps` (all traffic, requests per second), at most 25 %.
    """
    if explicit or rps is None:
        return 0
    low = [i for i, weight in enumerate(ladder) if weight <= FIRST_AT_MOST] or [0]
    enough = [i for i in low if rps * ladder[i] / 100 >= ENOUGH_RPS]
    return enough[0] if enough else low[-1]


def margin(ladder: Sequence[int], step: int, *, blast_radius: float, rps: float) -> float:
    """Excess share of bad requests that must be ruled out before that entry (an index) is entered.

    After the last entry all traffic follows without another proof, so the last one is proven for
    all of the traffic.
    """
    weight = ladder[step] if step < len(ladder) - 1 else 100
    tolerated = max(blast_radius, BAD_PER_SECOND / rps if rps > 0 else WIDEST)
    return min(WIDEST, tolerated / (weight / 100))
