"""Whose counts are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FleetArms:
    """Which two revisions of which object, and since when.

    `candidate`, `stable`: 8 characters of the revision, or None; with one of them, that arm is told
    as `stable`. `port`: of the candidate's Service, and of stable's unless `stable_port` differs.
    `since`: what was consumed already, None at first. `edges`: each signal's limit in seconds, None
    for errors. `candidate_started_at`: a series born after it began at 0. All times in Unix seconds
    of Prometheus' clock. `source`: the metrics source; empty is the default one.
    """

    namespace: str
    name: str
    candidate: str | None
    stable: str | None
    port: int
    since: float | None = None
    edges: Mapping[str, float | None] = field(default_factory=dict)
    candidate_started_at: float | None = None
    stable_port: int | None = None
    source: str = ""
