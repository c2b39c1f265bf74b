"""The hashes that identify a revision and its policy: of the user's spec, without defaults."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from merit.api.status import Stage

_ONLINE_ROLLOUT = ("confidence", "blastRadius", "onInconclusive")


def canonical_json(obj: object) -> str:
    """JSON that is equal for equal meaning: nulls dropped, 1.0 written as 1, keys sorted.

    Raises ValueError for numbers that are not finite.
    """
    return json.dumps(_canonical(obj), sort_keys=True, separators=(",", ":"), allow_nan=False)


def _canonical(obj: object) -> object:
    if isinstance(obj, Mapping):
        return {str(k): _canonical(v) for k, v in obj.items() if v is not None}
    if isinstance(obj, list | tuple):
        return [_canonical(v) for v in obj]
    if isinstance(obj, float) and math.isfinite(obj) and obj == int(obj):
        return int(obj)
    return obj


def content_hash(obj: object) -> str:
    """`h1:` and the SHA-256 of the canonical JSON; the prefix names the algorithm."""
    return "h1:" + hashlib.sha256(canonical_json(obj).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity of a declared spec: its content, and what judges it at each stage.

    `revision`, `evaluation`, `feasibility`, `online`: `h1:<64 hex>`. `short`: the revision's first
    8 hex digits. `policy`: 8 hex digits of the hash of all three stage policies.
    """

    revision: str
    short: str
    evaluation: str
    feasibility: str
    online: str
    policy: str

    @property
    def key(self) -> str:
        """`<short>-<policy>`: the key of the accepted spec."""
        return f"{self.short}-{self.policy}"

    def stage_policy(self, stage: Stage) -> str:
        """The hash of what judges at that stage; after promotion that of Rollout."""
        gates = {"Evaluation": self.evaluation, "Feasibility": self.feasibility}
        return gates.get(stage, self.online)


def identify(raw_spec: Mapping[str, Any]) -> Identity:
    """The identity of a spec as the user wrote it: the API server's JSON, not a dumped model."""
    revision = content_hash(_pick(raw_spec, "model", "serving"))
    evaluation = content_hash(_pick(raw_spec, "evaluation"))
    feasibility = content_hash(_pick(raw_spec, "constraints", "feasibility"))
    online = content_hash(_online(raw_spec))
    policy = content_hash([evaluation, feasibility, online])
    return Identity(
        revision=revision,
        short=revision[3:11],
        evaluation=evaluation,
        feasibility=feasibility,
        online=online,
        policy=policy[3:11],
    )


def _online(raw: Mapping[str, Any]) -> dict[str, Any]:
    goal = raw.get("goal")
    rollout = raw.get("rollout")
    modes = raw.get("failureModes")
    judged = [_pick(m, "signal", "response") for m in modes] if isinstance(modes, list) else []
    return {
        **_pick(raw, "constraints", "monitoring"),
        "goal": _pick(goal, "kpi"),
        "rollout": _pick(rollout, *_ONLINE_ROLLOUT),
        # Order, names and duplicates of failure modes do not change a judgement.
        "failureModes": sorted({canonical_json(mode) for mode in judged}),
    }


def _pick(obj: object, *keys: str) -> dict[str, Any]:
    if not isinstance(obj, Mapping):
        return {}
    return {key: obj[key] for key in keys if obj.get(key) is not None}
