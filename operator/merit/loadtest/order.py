"""The order for the load generator, as JSON in one variable: the plan, the pods, the request.

Standard library only, because the generator's image has no packages.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from merit.loadtest.plan import Bar, Plan


@dataclass(frozen=True, slots=True)
class Counter:
    """Series whose sum is the requests that a server has finished.

    `where`: labels that must have these values; `never`: values that exclude a series.
    """

    series: tuple[str, ...]
    where: Mapping[str, str] = field(default_factory=dict)
    never: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scrape:
    """Where each pod exports its own counts as Prometheus text; `counters`: best first."""

    port: int
    path: str
    counters: tuple[Counter, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """`targets`: one base URL a ready pod, so that each gets an equal share of the requests.

    `bodies`: the ConfigMap that the bodies come from; empty where requests have none. `scrape`:
    None if the pods' own counts are not read; `uncounted` says why.
    """

    plan: Plan
    targets: tuple[str, ...]
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    bodies: str = ""
    scrape: Scrape | None = None
    uncounted: str = ""

    def dump(self) -> str:
        """As compact JSON."""
        return json.dumps(
            asdict(self.plan)
            | {
                "targets": self.targets,
                "request": {
                    "method": self.method,
                    "path": self.path,
                    "headers": dict(self.headers),
                    "bodies": self.bodies,
                },
                "counts": asdict(self.scrape) if self.scrape else {"why": self.uncounted},
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
    counts = raw.get("counts") or {}  # an older operator sends none
    return Order(
        plan,
        targets,
        method=request["method"],
        path=request["path"],
        headers=request["headers"],
        bodies=request["bodies"],
        scrape=_scrape(counts) if "port" in counts else None,
        uncounted=counts.get("why", ""),
    )


def _scrape(raw: Mapping[str, Any]) -> Scrape:
    counters = tuple(
        Counter(
            series=tuple(each["series"]),
            where=each["where"],
            never={label: tuple(values) for label, values in each["never"].items()},
        )
        for each in raw["counters"]
    )
    return Scrape(int(raw["port"]), str(raw["path"]), counters)
