"""Random counts from the standard library alone: seeded, and exact where few requests are bad."""

from __future__ import annotations

import math
import random

MANY = 60.0  # from this many on both sides a normal draw cannot be told from the true one


class Dice:
    """Draws of one rollout. The same seed gives the same rollout."""

    def __init__(self, seed: int | str) -> None:
        self._random = random.Random(seed)
        self.uniform = self._random.random
        self.normal = self._random.gauss
        self.among = self._random.randrange

    def poisson(self, mean: float) -> int:
        """Events of a Poisson process that are expected `mean` times."""
        if mean <= 0:
            return 0
        if mean > MANY:
            return max(0, round(self.normal(mean, math.sqrt(mean))))
        count, product, floor = 0, self.uniform(), math.exp(-mean)
        while product > floor:
            count += 1
            product *= self.uniform()
        return count

    def binomial(self, n: int, p: float) -> int:
        """Of `n` independent requests, how many meet a chance of `p`."""
        if n <= 0 or p <= 0:
            return 0
        if p >= 1:
            return n
        if p > 0.5:
            return n - self.binomial(n, 1 - p)
        if n * p > MANY:
            return min(n, max(0, round(self.normal(n * p, math.sqrt(n * p * (1 - p))))))
        count, at, log_q = 0, 0, math.log1p(-p)
        while True:  # from one hit to the next
            at += int(math.log(1 - self.uniform()) / log_q) + 1
            if at > n:
                return count
            count += 1

    def bursts(self, n: int, p: float, size: float) -> int:
        """Of `n` requests, how many are bad if bad ones come in bursts of that mean size."""
        if size <= 1:
            return self.binomial(n, p)
        bursts = self.poisson(n * p / size)
        log_q = math.log1p(-1 / size)
        more = sum(int(math.log(1 - self.uniform()) / log_q) for _ in range(bursts))
        return min(n, bursts + more)
