"""What one arm did for one signal between two looks. A verdict rests on counts alone."""

from __future__ import annotations

from dataclasses import dataclass

from merit.evidence.rounding import rounded

INSTANT = 0.0005  # seconds: instants are kept to the millisecond


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests of one arm and one signal since the last look.

    `n`: requests. `bad`: those that failed, or were slower than the limit. Both >= 0, bad <= n.
    """

    n: float = 0.0
    bad: float = 0.0

    def __add__(self, other: Counts) -> Counts:
        return Counts(n=self.n + other.n, bad=self.bad + other.bad)


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
    """One look: increases of every signal from `since` to `at` (Prometheus' clock, Unix seconds).

    `signals` maps a signal's name ("errors", "latency/p99") to its pair of arms. `since` is None at
    the first look, which sets the baseline and carries no counts.
    """

    at: float
    since: float | None
    signals: dict[str, ArmPair]

    def news(self, consumed_until: float | None) -> bool:
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
