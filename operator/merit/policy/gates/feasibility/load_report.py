"""The load report, parsed: `merit.dev/load/v1`, the counts of every stage of one load test.

It comes in the termination message of the load generator's pod, and is as untrusted as an
evaluation's report.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from merit.loadtest.counts import Counts
from merit.loadtest.plan import HALVINGS, Plan, Stage
from merit.policy.gates.strict_json import (
    PARSE_ERRORS,
    Refusal,
    count,
    malformed,
    number,
    object_with_keys,
    plain,
    read_object,
)
from merit.policy.state.verdict import Verdict

SCHEMA = "merit.dev/load/v1"
MAX_STAGES = 2 * (HALVINGS + 1)
MAX_EDGES = 64
_DIGEST = re.compile(r"[0-9a-f]{64}")
_COUNTS = frozenset({"sent", "good", "s", "seen", "why"})
_STAGE = frozenset(
    {"rps", "s", "due", "sent", "done", "failed", "refused", "n", "lag99", "throttled"}
)


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What was sent to `replicas` pods and how it went: stages in order, bucket edges `le` in ms.

    `counts`: the totals beside the pods' own counts; None if the report has none. `bodies`: how
    many request bodies, and their hash, as text; empty without any.
    """

    replicas: int
    le: tuple[float, ...]
    stages: tuple[Stage, ...]
    counts: Counts | None = None
    bodies: str = ""


def parse_load(text: str, *, revision: str, nonce: str, plan: Plan) -> LoadReport | Verdict:
    """The report, if it is one, of this run and of this plan; else Undecided with the reason."""
    try:
        raw = read_object(text)
        if raw.get("schema") != SCHEMA:
            raise Refusal("UnknownSchema", f"the report's schema is not {SCHEMA}")
        if raw.get("revision") != revision or raw.get("nonce") != nonce:
            raise Refusal("StaleReport", "the report belongs to another revision or another run")
        return _read(raw, plan)
    except Refusal as refusal:
        return Verdict("Undecided", refusal.reason, str(refusal))
    except PARSE_ERRORS as error:
        return Verdict("Undecided", "Malformed", f"the report: {type(error).__name__}")


def _read(raw: Mapping[str, Any], plan: Plan) -> LoadReport:
    le = _edges(raw.get("le"), plan)
    entries = raw.get("stages")
    if not isinstance(entries, list) or not 1 <= len(entries) <= MAX_STAGES:
        raise malformed(f"stages must be a list of 1 to {MAX_STAGES}")
    stages = tuple(_stage(f"stages[{i}]", entry, len(le)) for i, entry in enumerate(entries))
    rates = {plan.rate / 2**k for k in range(HALVINGS + 1)}
    for stage in stages:
        if stage.rps not in rates:
            raise malformed(f"{stage.rps:g}/s is no rate of this plan")
    counts = _counts(raw["counts"]) if "counts" in raw else None
    bodies = _bodies(raw["bodies"]) if "bodies" in raw else ""
    return LoadReport(count(raw.get("replicas"), "replicas", least=1), le, stages, counts, bodies)


def _bodies(value: object) -> str:
    given = object_with_keys(value, "bodies", frozenset({"n", "sha256"}))
    digest = given.get("sha256")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise malformed("bodies.sha256 must be 64 hex digits")
    return f"{count(given.get('n'), 'bodies.n', least=1)}, sha256:{digest}"


def _counts(value: object) -> Counts:
    given = object_with_keys(value, "counts", _COUNTS)
    why = given.get("why", "")
    if not isinstance(why, str):
        raise malformed("counts.why must be a string")
    counts = Counts(
        sent=count(given.get("sent"), "counts.sent"),
        good=count(given.get("good"), "counts.good"),
        s=_amount(given.get("s"), "counts.s"),
        seen=count(given["seen"], "counts.seen") if "seen" in given else None,
        why=plain(why),
    )
    if counts.good > counts.sent:
        raise malformed("counts: more good answers than requests")
    return counts


def _edges(value: object, plan: Plan) -> tuple[float, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_EDGES:
        raise malformed(f"le must be a list of 1 to {MAX_EDGES} edges")
    le = tuple(_amount(edge, f"le[{i}]") for i, edge in enumerate(value))
    if any(a >= b for a, b in pairwise(le)):
        raise malformed("le must increase")
    for bar in plan.bars:
        if bar.limit is not None and bar.limit not in le:
            raise malformed(f"le lacks the limit of {bar.name}, {bar.limit:g} ms")
    return le


def _stage(where: str, value: object, edges: int) -> Stage:
    given = object_with_keys(value, where, _STAGE)
    n = given.get("n")
    if not isinstance(n, list) or len(n) != edges + 1:
        raise malformed(f"{where}.n must have one count more than le has edges")
    stage = Stage(
        rps=_amount(given.get("rps"), f"{where}.rps"),
        s=_amount(given.get("s"), f"{where}.s"),
        due=count(given.get("due"), f"{where}.due"),
        sent=count(given.get("sent"), f"{where}.sent"),
        done=count(given.get("done"), f"{where}.done"),
        failed=count(given.get("failed"), f"{where}.failed"),
        n=tuple(count(each, f"{where}.n[{i}]") for i, each in enumerate(n)),
        lag99=_amount(given.get("lag99", 0), f"{where}.lag99"),
        refused=count(given.get("refused", 0), f"{where}.refused"),
        throttled=_amount(given.get("throttled", 0), f"{where}.throttled"),
    )
    if stage.sent != stage.done + stage.failed or stage.sent != sum(stage.n):
        raise malformed(f"{where}: sent is not done + failed, or not the sum of n")
    if stage.sent > stage.due or stage.refused > stage.done or stage.failed > stage.n[-1]:
        raise malformed(f"{where}: the counts contradict each other")
    return stage


def _amount(value: object, what: str) -> float:
    amount = float(number(value, what))
    if amount < 0:
        raise malformed(f"{what} is below 0")
    return amount
