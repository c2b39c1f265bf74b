"""Random counts with the standard library only; exact where few requests are bad."""

from __future__ import annotations

import math
from random import Random

MANY = 60.0  # expected events above which the normal approximation is good enough


def poisson(rng: Random, mean: float) -> int:
    """A Poisson count with this mean."""
    if mean <= 0:
        return 0
    if mean > MANY:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    count, product, floor = 0, rng.random(), math.exp(-mean)
    while product > floor:
        count += 1
        product *= rng.random()
    return count


def binomial(rng: Random, n: int, p: float) -> int:
    """A binomial count: of `n` independent requests, each with probability `p`."""
    if n <= 0 or p <= 0:
        return 0
    if p >= 1:
        return n
    if p > 0.5:
        return n - binomial(rng, n, 1 - p)
    if n * p > MANY:
        return min(n, max(0, round(rng.gauss(n * p, math.sqrt(n * p * (1 - p))))))
    count, at, log_q = 0, 0, math.log1p(-p)
    while True:  # from one hit to the next
        at += int(math.log(1 - rng.random()) / log_q) + 1
        if at > n:
            return count
        count += 1


def bursts(rng: Random, n: int, p: float, size: float) -> int:
    """Bad requests of `n`, each bad with probability `p`, in bursts of this mean size."""
    if size <= 1:
        return binomial(rng, n, p)
    many = poisson(rng, n * p / size)
    log_q = math.log1p(-1 / size)
    more = sum(int(math.log(1 - rng.random()) / log_q) for _ in range(many))
    return min(n, many + more)
