"""The load report, parsed: `merit.dev/load/v1`, the counts of every stage of one load test.

It comes in the termination message of the load generator's pod, as an evaluation's report does,
and is trusted as little.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from merit.evidence.load import HALVINGS, Plan, Stage
from merit.policy.strict import Refused, count, number, plain, read_object
from merit.policy.verdict import Verdict

SCHEMA = "merit.dev/load/v1"
MAX_STAGES = 2 * (HALVINGS + 1)
MAX_EDGES = 64
_KNOWN = {"rps", "s", "due", "sent", "done", "failed", "refused", "n", "lag99", "throttled"}


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What was sent to `replicas` pods and how it went: stages in order, edges in ms."""

    replicas: int
    le: tuple[float, ...]
    stages: tuple[Stage, ...]


def parse_load(text: str, *, revision: str, nonce: str, plan: Plan) -> LoadReport | Verdict:
    """The report, if it is one, of this run and of this plan; else Undecided with the reason."""
    try:
        raw = read_object(text, schema=SCHEMA, revision=revision, nonce=nonce)
        return _read(raw, plan)
    except Refused as refused:
        return Verdict("Undecided", refused.reason, refused.message)


def _read(raw: Mapping[str, Any], plan: Plan) -> LoadReport:
    le = _edges(raw.get("le"), plan)
    entries = raw.get("stages")
    if not isinstance(entries, list) or not 1 <= len(entries) <= MAX_STAGES:
        raise Refused("Malformed", f"stages must be a list of 1 to {MAX_STAGES}")
    stages = tuple(_stage(f"stages[{i}]", entry, len(le)) for i, entry in enumerate(entries))
    rates = {plan.rate / 2**k for k in range(HALVINGS + 1)}
    for stage in stages:
        if stage.rps not in rates:
            raise Refused("Malformed", f"{stage.rps:g}/s is no rate of this plan")
    return LoadReport(count("replicas", raw.get("replicas"), least=1), le, stages)


def _edges(value: object, plan: Plan) -> tuple[float, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_EDGES:
        raise Refused("Malformed", f"le must be a list of 1 to {MAX_EDGES} edges")
    le = tuple(number(f"le[{i}]", edge, least=0.0) for i, edge in enumerate(value))
    if any(a >= b for a, b in pairwise(le)):
        raise Refused("Malformed", "le must increase")
    for bar in plan.bars:
        if bar.limit is not None and bar.limit not in le:
            raise Refused("Malformed", f"le lacks the limit of {bar.name}, {bar.limit:g} ms")
    return le


def _stage(where: str, value: object, edges: int) -> Stage:
    if not isinstance(value, dict):
        raise Refused("Malformed", f"{where} is not an object")
    if unknown := set(value) - _KNOWN:
        raise Refused("Malformed", f"{where} has an unknown key {plain(min(unknown), 40)}")
    n = value.get("n")
    if not isinstance(n, list) or len(n) != edges + 1:
        raise Refused("Malformed", f"{where}.n must have one count more than le has edges")
    stage = Stage(
        rps=number(f"{where}.rps", value.get("rps"), least=math.ulp(0.0)),
        s=number(f"{where}.s", value.get("s"), least=0.0),
        due=count(f"{where}.due", value.get("due")),
        sent=count(f"{where}.sent", value.get("sent")),
        done=count(f"{where}.done", value.get("done")),
        failed=count(f"{where}.failed", value.get("failed")),
        n=tuple(count(f"{where}.n[{i}]", each) for i, each in enumerate(n)),
        lag99=number(f"{where}.lag99", value.get("lag99", 0), least=0.0),
        refused=count(f"{where}.refused", value.get("refused", 0)),
        throttled=number(f"{where}.throttled", value.get("throttled", 0), least=0.0),
    )
    if stage.sent != stage.done + stage.failed or stage.sent != sum(stage.n):
        raise Refused("Malformed", f"{where}: sent is not done + failed, or not the sum of n")
    if stage.sent > stage.due or stage.refused > stage.done or stage.failed > stage.n[-1]:
        raise Refused("Malformed", f"{where}: the counts contradict each other")
    return stage
