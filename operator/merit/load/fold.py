"""From vegeta's results to counts: latency from the moment a request was *meant* to be sent.

A closed loop, or a late generator, waits with the server and hides its queue. So a request's time
begins where the constant rate puts it, whenever it was really sent.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from merit.evidence.load import Plan, Stage, hopeless

NS = 1_000_000.0  # nanoseconds in a millisecond
TOO_MANY = 429


@dataclass(slots=True)
class Results:
    """What came back, a row a request: how it was answered, and nanoseconds.

    `offset` is the real send time less `seq` intervals: constant for a punctual generator.
    `cut`: nothing more was sent, as the stage was lost already.
    """

    offset: array[int] = field(default_factory=lambda: array("q"))
    latency: array[int] = field(default_factory=lambda: array("q"))
    code: array[int] = field(default_factory=lambda: array("h"))
    cut: bool = False

    def add(self, *, seq: int, at: int, latency: int, code: int, interval: int) -> None:
        """One request: sent at Unix time `at`, the `seq`-th of its stage, from 0."""
        self.offset.append(at - seq * interval)
        self.latency.append(latency)
        self.code.append(code)


def failed(code: int) -> bool:
    """Whether the server, or the way to it, is to blame: no answer, 429, 5xx."""
    return code == 0 or code == TOO_MANY or code >= 500


def refused(code: int) -> bool:
    """Whether the answer blames the request: any other 4xx."""
    return 400 <= code < 500 and code != TOO_MANY


def lost(results: Results, *, due: int, plan: Plan) -> bool:
    """Whether what has come back leaves no hope for a stage of `due` requests."""
    edge = plan.le[-1] * NS
    bad = late = 0
    for code, latency in zip(results.code, results.latency, strict=True):
        bad += failed(code)
        late += failed(code) or latency > edge
    return hopeless(failed=bad, beyond=late, due=max(due, len(results.code)), bars=plan.bars)


def fold(
    results: Results, *, rps: float, s: float, due: int, le: Sequence[float], throttled: float
) -> Stage:
    """The counts of a stage; `le`: upper edges in ms. One that was cut is as short as it was."""
    start = min(results.offset, default=0)
    counts = [0] * (len(le) + 1)
    bad = wrong = 0
    for offset, latency, code in zip(results.offset, results.latency, results.code, strict=True):
        if failed(code):
            bad += 1
            counts[-1] += 1
            continue
        wrong += refused(code)
        counts[bisect_left(le, (offset - start + latency) / NS)] += 1
    # More than due may be sent in the last interval; none of them is thrown away.
    sent = len(results.code)
    if results.cut:
        due, s = sent, sent / rps
    return Stage(
        rps=rps,
        s=round(s, 3),
        due=max(due, sent),
        sent=sent,
        done=sent - bad,
        failed=bad,
        n=tuple(counts),
        lag99=round(_percentile((o - start for o in results.offset), 0.99) / NS, 3),
        refused=wrong,
        throttled=round(throttled, 3),
    )


def _percentile(values: Iterable[int], share: float) -> float:
    ordered = sorted(values)
    return float(ordered[min(len(ordered) - 1, int(share * len(ordered)))]) if ordered else 0.0
