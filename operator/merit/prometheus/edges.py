"""Which bucket edges there are, which are in use, and which two decide about a limit."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

from merit.prometheus.preset import Latency, quoted
from merit.prometheus.window import bracket
from merit.stats.counts import NoSample
from merit.stats.histogram import format_seconds

FORGET = 3600.0  # seconds after which an unused limit is forgotten
AROUND = 3  # edges on each side of a limit, for the quantile that is displayed
COARSE = 1.25  # ratio of the edges around a limit above which many samples decide nothing


class Edges:
    """The histogram's edges, in its own unit, as Prometheus has them."""

    def __init__(self) -> None:
        self._latency = Latency(bucket="none", unit="s")
        self._known: Mapping[float, str] = {}  # edge -> how Prometheus spells it
        self._limits: dict[float, float] = {}

    def learn(self, latency: Latency, known: Mapping[float, str]) -> None:
        """What the self-check found."""
        self._latency, self._known = latency, known

    def use(self, limits: Iterable[float], at: float) -> None:
        """These limits (in the histogram's unit) are in use now."""
        for limit in limits:
            self._limits[limit] = at

    def in_use(self, at: float) -> frozenset[float]:
        """The edges to read: the ones beside each limit in use, and a few more for display."""
        self._limits = {k: v for k, v in self._limits.items() if at - v < FORGET}
        finite = sorted(edge for edge in self._known if not math.isinf(edge))
        used: set[float] = set()
        for limit in self._limits:
            below = [edge for edge in finite if edge <= limit][-AROUND - 1 :]
            above = [edge for edge in finite if edge > limit][: AROUND + 1]
            used.update(below + above)
        return frozenset(used)

    def selector(self, edges: Iterable[float]) -> str:
        """As `le_matcher`."""
        return le_matcher(self._known[edge] for edge in sorted(edges))

    def deciding(self, limits: Mapping[str, float]) -> dict[str, tuple[float, float]] | NoSample:
        """(below, above) of each limit: equal on an edge. Nothing while there is no histogram."""
        found: dict[str, tuple[float, float]] = {}
        for name, limit in limits.items() if self._known else ():
            below, above = bracket(self._known, limit)
            if below is None or above is None:
                side = "above" if above is None else "below"
                text = format_seconds(self._latency.seconds(limit))
                return NoSample("NoBucketEdge", f"{name}: no bucket edge {side} {text}")
            found[name] = (below, above)
        return found

    def warnings(self, limits: Mapping[str, float]) -> tuple[tuple[str, str], ...]:
        """(reason, sentence) for each limit (in the histogram's unit) that is on no edge."""
        found = self.deciding(limits)
        if isinstance(found, NoSample):
            return ((found.reason, found.message),)
        warnings = []
        for name, (below, above) in found.items():
            if below == above:
                continue
            low, high, limit = (
                format_seconds(self._latency.seconds(edge)) for edge in (below, above, limits[name])
            )
            reason = "BucketsTooCoarse" if above > COARSE * below else "NoBucketEdge"
            warnings.append(
                (
                    reason,
                    f"{name}: {limit} is no edge of the histogram: it is bad when too many take "
                    f"more than {high}, good when enough take at most {low}",
                )
            )
        return tuple(warnings)


def shared_edges(
    deciding: Mapping[str, tuple[float, float]],
    limits: Mapping[str, float],
    own: frozenset[float],
    read: frozenset[float],
) -> tuple[dict[str, tuple[float, float]], dict[str, NoSample]]:
    """The deciding edges that every revision's histogram has, and the signals without any.

    `own`: the edges that all of them have; `read`: those that were asked for. How many requests are
    beyond an edge that a histogram lacks is unknown.
    """
    found, lost = dict(deciding), {}
    for name, both in deciding.items():
        if own.issuperset(both) or not read.issuperset(both):
            continue
        below, above = bracket(own, limits[name])
        if below is None or above is None:
            del found[name]
            why = f"{name}: a revision's histogram lacks the bucket edges beside the bound"
            lost[name] = NoSample("NoBucketEdge", why)
        else:
            found[name] = below, above
    return found, lost


def le_matcher(spelled: Iterable[str]) -> str:
    """A matcher of `le` for these edges and the last one, in either spelling of Prometheus."""
    finite = [re.escape(one.removesuffix(".0")) + r"(\.0)?" for one in spelled]
    finite = [one for one in finite if "Inf" not in one]
    return f'le=~"{quoted("|".join((*finite, chr(92) + "+Inf")))}"'
