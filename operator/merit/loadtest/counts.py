"""What a load test sent, compared with what the pods under test counted themselves.

Standard library only. If something else answered or repeated the requests, or the test was not
alone, it did not measure what it reports.
"""

from __future__ import annotations

from dataclasses import dataclass

TOLERANCE = 0.05  # may be missing, as many as a stage may fail to send
OTHER_RATE = 2.0  # per second and pod: probes and scrapes that a counter may include
FEW = 10  # requests that are never a difference


@dataclass(frozen=True, slots=True)
class Counts:
    """Of a whole load test, with its warm-up and its pauses.

    `sent` requests in `s` seconds, `good` of them answered with 2xx or 3xx. `seen`: by how much the
    pods' own counters of finished requests rose meanwhile; None if unknown, and `why`.
    """

    sent: int
    good: int
    s: float
    seen: int | None = None
    why: str = ""

    def words(self) -> str:
        """The comparison, in a line."""
        if self.seen is None:
            return f"not compared: {self.why or 'no reason is given'}"
        return f"{self.seen:,} counted by the pods, {self.sent:,} sent, {self.good:,} answered well"


def disagreement(counts: Counts, pods: int) -> str:
    """How the two differ beyond all tolerance; empty if they agree, or cannot be compared.

    There cannot be fewer than were answered well; a server may not count failed requests. There
    cannot be more than were sent, except probes and scrapes.
    """
    if counts.seen is None:
        return ""
    if counts.seen < counts.good * (1 - TOLERANCE) - FEW:
        return (
            f"the pods counted {counts.seen:,} requests, and {counts.good:,} were answered well: "
            "something else answered, or not every process counts"
        )
    if counts.seen > counts.sent * (1 + TOLERANCE) + OTHER_RATE * counts.s * pods + FEW:
        return (
            f"the pods counted {counts.seen:,} requests, and {counts.sent:,} were sent: "
            "somebody else sends as well, or something repeats requests"
        )
    return ""
