"""What the load generator is told, as JSON in one variable: the plan, the pods, the request.

Standard library only, as the generator reads it in an image without any package.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from merit.evidence.load import Bar, Plan


@dataclass(frozen=True, slots=True)
class Order:
    """`targets`: one base URL a ready pod, so that each gets an equal share of the requests.

    `bodies`: the ConfigMap that the bodies come from; empty where requests have none.
    """

    plan: Plan
    targets: tuple[str, ...]
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    bodies: str = ""

    def dump(self) -> str:
        """As compact JSON."""
        plan = self.plan
        return json.dumps(
            {
                "rate": plan.rate,
                "duration": plan.duration,
                "bars": [
                    {"name": b.name, "allowed": b.allowed, "limit": b.limit} for b in plan.bars
                ],
                "le": plan.le,
                "targets": self.targets,
                "request": {
                    "method": self.method,
                    "path": self.path,
                    "headers": dict(self.headers),
                    "bodies": self.bodies,
                },
            },
            separators=(",", ":"),
        )


def load_order(text: str) -> Order:
    """The order in that JSON. Raises ValueError, KeyError or TypeError if it is none."""
    raw = json.loads(text)
    request = raw["request"]
    plan = Plan(
        rate=float(raw["rate"]),
        duration=float(raw["duration"]),
        bars=tuple(Bar(b["name"], b["allowed"], b["limit"]) for b in raw["bars"]),
        le=tuple(float(edge) for edge in raw["le"]),
    )
    targets = tuple(str(each) for each in raw["targets"])
    if not targets:
        raise ValueError("the order names no target")
    return Order(
        plan,
        targets,
        method=request["method"],
        path=request["path"],
        headers=request["headers"],
        bodies=request["bodies"],
    )
