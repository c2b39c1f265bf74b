"""From vegeta's results to counts, with latency from when a request *should* have been sent.

A generator that waits for a slow server hides the server's queue (coordinated omission). So the
time of a request begins where the constant rate puts it, whenever it was really sent.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from merit.loadtest.plan import Plan, Stage, surely_bad

NS = 1_000_000.0  # nanoseconds in a millisecond
TOO_MANY = 429


@dataclass(slots=True)
class Results:
    """The results, one row per request: status code, and times in nanoseconds.

    `offset` is the real send time less `seq` intervals: constant if the generator is on time.
    `cut`: nothing more was sent, as the stage was surely bad already.
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


def is_failure(code: int) -> bool:
    """Whether the server or the network failed: no answer, 429, 5xx."""
    return code == 0 or code == TOO_MANY or code >= 500


def is_refusal(code: int) -> bool:
    """Whether the answer blames the request: all else but 2xx; nobody follows a redirect."""
    return not is_failure(code) and not 200 <= code < 300


def surely_lost(results: Results, *, due: int, plan: Plan) -> bool:
    """Whether a stage of `due` requests is bad whatever follows."""
    edge = plan.le[-1] * NS
    bad = late = 0
    for code, latency in zip(results.code, results.latency, strict=True):
        bad += is_failure(code)
        late += is_failure(code) or latency > edge
    return surely_bad(failed=bad, beyond=late, due=max(due, len(results.code)), bars=plan.bars)


def fold(
    results: Results, *, rps: float, s: float, due: int, le: Sequence[float], throttled: float
) -> Stage:
    """The counts of a stage; `le`: upper edges in ms. One that was cut is as short as it was."""
    start = min(results.offset, default=0)
    counts = [0] * (len(le) + 1)
    bad = wrong = 0
    for offset, latency, code in zip(results.offset, results.latency, results.code, strict=True):
        if is_failure(code):
            bad += 1
            counts[-1] += 1
            continue
        wrong += is_refusal(code)
        counts[bisect_left(le, (offset - start + latency) / NS)] += 1
    # More than due may be sent in the last interval; they count.
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
