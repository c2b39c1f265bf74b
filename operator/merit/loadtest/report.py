"""The report for the gate: `merit.dev/load/v1`, small enough for a termination message."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from merit.loadtest.counts import Counts
from merit.loadtest.plan import Plan, Stage

SCHEMA = "merit.dev/load/v1"
WHY = 160  # characters of the reason why nothing was compared
FITS = 4000  # bytes: a little less than the kubelet stores


def encode(
    plan: Plan,
    stages: Sequence[Stage],
    *,
    replicas: int,
    revision: str,
    nonce: str,
    counts: Counts,
    bodies: Sequence[bytes] = (),
) -> str:
    """Compact JSON; of the `bodies` that were sent their number and hash.

    Bins without a limit at their edge are merged until it fits.
    """
    le = list(plan.le)
    bins = [list(stage.n) for stage in stages]
    limits = {bar.limit for bar in plan.bars}
    while True:
        text = json.dumps(
            {
                "schema": SCHEMA,
                "revision": revision,
                "nonce": nonce,
                "replicas": replicas,
                "le": [_plain(edge) for edge in le],
                "stages": [_stage(s, n) for s, n in zip(stages, bins, strict=True)],
                "counts": _counts(counts),
            }
            | ({"bodies": {"n": len(bodies), "sha256": _digest(bodies)}} if bodies else {}),
            separators=(",", ":"),
        )
        removable = [i for i, edge in enumerate(le) if edge not in limits]
        if len(text.encode()) <= FITS or not removable:
            return text
        narrowest = min(removable, key=lambda i: _width(le, i))
        for n in bins:
            n[narrowest : narrowest + 2] = [n[narrowest] + n[narrowest + 1]]
        del le[narrowest]


def _width(le: Sequence[float], at: int) -> float:
    """How much detail is lost without an edge: the ratio of its neighbours."""
    padded = [le[0] / 2, *le, le[-1] * 2]
    return padded[at + 2] / padded[at]


def _plain(value: float) -> float | int:
    return int(value) if value == int(value) else value


def _stage(stage: Stage, n: Sequence[int]) -> dict[str, object]:
    found: dict[str, object] = {
        "rps": _plain(stage.rps),
        "s": _plain(stage.s),
        "due": stage.due,
        "sent": stage.sent,
        "done": stage.done,
        "failed": stage.failed,
        "n": list(n),
        "lag99": _plain(stage.lag99),
    }
    more = {"refused": stage.refused, "throttled": stage.throttled}
    return found | {key: value for key, value in more.items() if value}


def _counts(counts: Counts) -> dict[str, object]:
    totals: dict[str, object] = {"sent": counts.sent, "good": counts.good, "s": round(counts.s, 1)}
    return totals | ({"why": counts.why[:WHY]} if counts.seen is None else {"seen": counts.seen})


def _digest(bodies: Sequence[bytes]) -> str:
    """Of all of them in their order; each by its own hash, so that the boundaries count too."""
    whole = hashlib.sha256()
    for body in bodies:
        whole.update(hashlib.sha256(body).digest())
    return whole.hexdigest()
