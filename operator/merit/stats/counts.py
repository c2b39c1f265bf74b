"""The counts of one sample: requests and bad requests of both arms. Verdicts rest on counts alone.

What a sample is, and why no request counts twice: docs/concepts/statistics.md, "Counts".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from merit.stats.decimals import rounded

INSTANT = 0.0005  # seconds: instants are kept to the millisecond


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests of one arm and one signal since the last sample.

    `n`: requests. `bad`: those that failed, or were slower than the limit. Both >= 0, bad <= n.
    """

    n: float = 0.0
    bad: float = 0.0

    def __add__(self, other: Counts) -> Counts:
        """Both together, rounded to what is stored."""
        return Counts(n=rounded(self.n + other.n), bad=rounded(self.bad + other.bad))

    @property
    def share(self) -> float:
        """Of the bad ones; 0 without requests."""
        return self.bad / self.n if self.n > 0 else 0.0


@dataclass(frozen=True, slots=True)
class ArmPair:
    """The same signal of both arms, cut at the same instants.

    With a limit between two bucket edges the bad counts differ by what they prove: `candidate`
    and `stable` are judged on the next edge above (certainly too slow), `*_below` on the next
    edge below (possibly too slow). On an edge both are equal.
    """

    candidate: Counts
    stable: Counts
    candidate_below: Counts
    stable_below: Counts


@dataclass(frozen=True, slots=True)
class Sample:
    """Increases of every signal from `since` to `at` (Prometheus' clock, Unix seconds).

    `signals` maps a signal's name ("errors", "latency/p99") to its pair of arms. `since` is None in
    the first sample, which sets the baseline and carries no counts. `lost`: why a signal is not
    among them, and will not be by itself.
    """

    at: float
    since: float | None
    signals: dict[str, ArmPair]
    lost: Mapping[str, NoSample] = field(default_factory=dict)

    def is_new(self, consumed_until: float | None) -> bool:
        """Whether nothing in it was turned into evidence before: no request may count twice."""
        if consumed_until is None:
            return True
        if rounded(self.at) <= consumed_until:
            return False
        return self.since is None or self.since >= consumed_until - INSTANT


@dataclass(frozen=True, slots=True)
class NoSample:
    """Why there is nothing to judge. Missing data is neither good nor bad.

    `reason` is one of the reasons of `api.reasons` (MetricsLost, NoSeries, NoBucketEdge, ...).
    """

    reason: str
    message: str
