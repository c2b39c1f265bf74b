"""What a load test sent, held against what the pods under test counted themselves.

Standard library only. A test whose requests something else answered, or repeated, or that was not
alone, has measured something else than it says.
"""

from __future__ import annotations

from dataclasses import dataclass

TOLERANCE = 0.05  # as much may be missing as a stage may fail to send
BESIDE = 2.0  # a second and pod: probes and scrapes, where a counter has them among the requests
FEW = 10  # requests that are no difference, however few there were


@dataclass(frozen=True, slots=True)
class Counts:
    """Of a whole load test, with its warm-up and its pauses.

    `sent` requests in `s` seconds, `good` of them answered with 2xx or 3xx. `seen`: by how much the
    pods' own counters of finished requests rose meanwhile; None if nobody can tell, and `why`.
    """

    sent: int
    good: int
    s: float
    seen: int | None = None
    why: str = ""

    def words(self) -> str:
        """The comparison, in a line."""
        if self.seen is None:
            return f"not compared: {self.why or 'nobody says why'}"
        return f"{self.seen:,} counted by the pods, {self.sent:,} sent, {self.good:,} answered well"


def disagreement(counts: Counts, pods: int) -> str:
    """How the two differ beyond all tolerance; empty if they agree, or cannot be compared.

    Fewer than answered well cannot be: failed and unanswered requests a server may not count. More
    than were sent cannot be either, but for probes and scrapes.
    """
    if counts.seen is None:
        return ""
    if counts.seen < counts.good * (1 - TOLERANCE) - FEW:
        return (
            f"the pods counted {counts.seen:,} requests, and {counts.good:,} were answered well: "
            "something else answered, or not every process counts"
        )
    if counts.seen > counts.sent * (1 + TOLERANCE) + BESIDE * counts.s * pods + FEW:
        return (
            f"the pods counted {counts.seen:,} requests, and {counts.sent:,} were sent: "
            "somebody else sends as well, or something repeats requests"
        )
    return ""
