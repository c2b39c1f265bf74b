"""Shares by pod count: how many pods of a candidate make which share beside the stable ones.

Exact integers, so that the plan is the same in every pass; what a client really gets depends on
how connections fall, and is only near it.
"""

from __future__ import annotations

from collections.abc import Sequence


def pods_for(weight: int, stable: int, most: int) -> int:
    """The most pods, up to `most`, whose share beside `stable` pods is not above `weight` %."""
    if weight >= 100:
        return most
    return min(most, weight * stable // (100 - weight))


def share_of(pods: int, stable: int) -> int:
    """The share of `pods` beside `stable` others in percent, rounded up.

    Rounded up it leads back to the same pods: pods_for(share_of(n, s), s, n) == n.
    """
    return -(-100 * pods // (pods + stable)) if pods > 0 else 0


def pod_ladder(ladder: Sequence[int], stable: int, most: int) -> tuple[int, ...]:
    """The steps of a ladder that pods can make, each as the share it really is.

    What is too small for one pod is left out, and what is the same as the step before. The last
    one, the holdback, is always there; alone if no step can be made.
    """
    made: list[int] = []
    for weight in ladder[:-1]:
        share = share_of(pods_for(weight, stable, most), stable)
        if share > (made[-1] if made else 0):
            made.append(share)
    last = share_of(max(1, pods_for(ladder[-1], stable, most)), stable)
    return (*made, max((last, *made)))


def left_out(ladder: Sequence[int], stable: int, most: int) -> tuple[int, ...]:
    """The steps that pods cannot tell from none, or from the one before."""
    out: list[int] = []
    before = 0
    for weight in ladder[:-1]:
        pods = pods_for(weight, stable, most)
        if pods <= before:
            out.append(weight)
        before = max(before, pods)
    return tuple(out)
