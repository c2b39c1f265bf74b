"""What a Prometheus was asked, by its own query log."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from math import floor
from pathlib import Path

REQUESTS = "envoy_cluster_upstream_rq_xx"
GATEWAY = (REQUESTS, "envoy_cluster_upstream_rq_time_bucket", "envoy_cluster_upstream_rq_timeout")
NAMES = re.compile(r'"[^"]*model\\*-\d[^"]*"')  # a matcher that names objects of the fleet


@dataclass(frozen=True, slots=True)
class Query:
    """One that was answered. `at`: the instant that it is about, Unix seconds."""

    text: str
    at: float

    @property
    def look(self) -> str:
        """The metric, if a look at the fleet asks so: one number of each series, raw."""
        if self.text == "time()":
            return self.text
        metric = self.text.partition("{")[0]
        raw = metric in GATEWAY and self.text.endswith("s]")
        return metric if raw or metric == "up" else ""


def read(log: Path, offset: int = 0) -> tuple[list[Query], int]:
    """Everything noted from `offset` (bytes) on, and where the next reading begins."""
    with log.open("rb") as file:
        file.seek(offset)
        told = file.read()
    whole = told[: told.rfind(b"\n") + 1]
    return [_query(json.loads(line)["params"]) for line in whole.splitlines()], offset + len(whole)


def _query(params: dict[str, str]) -> Query:
    at = datetime.fromisoformat(params["start"].replace("Z", "+00:00"))
    return Query(params["query"], at.timestamp())


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked in some time.

    `everybody`, `exposed`: of each look at all objects and at those of a canary, the queries that
    it was made of. `beside`: how often everything else was asked, by text without objects' names.
    """

    everybody: tuple[float, ...]
    exposed: tuple[float, ...]
    beside: Counter[str]


def counted(queries: Iterable[Query]) -> Asked:
    """Looks told apart by their instant: a look reads the clock, and asks of that whole second."""
    seconds: defaultdict[int, list[Query]] = defaultdict(list)
    beside: Counter[str] = Counter()
    for query in queries:
        if query.look:
            seconds[floor(query.at)].append(query)
        else:
            beside[_nameless(query.text)] += 1
    told: dict[bool, list[float]] = {True: [], False: []}
    # The first and the last second may have been cut.
    for second in sorted(seconds)[1:-1]:
        for some, size in _looks(seconds[second], beside):
            told[some].append(size)
    return Asked(tuple(told[False]), tuple(told[True]), beside)


def _looks(queries: list[Query], beside: Counter[str]) -> list[tuple[bool, float]]:
    """Of one second: whether each look named objects, and of how many queries it was made."""
    by_kind = Counter((query.look, named(query.text)) for query in queries)
    looks = {kind: by_kind[REQUESTS, kind] for kind in (True, False)}
    every = sum(looks.values())
    beside["time()"] += max(0, by_kind["time()", False] - every)  # others read the clock too
    if not every:
        return []
    shared = (by_kind["up", False] + min(every, by_kind["time()", False])) / every
    found = []
    for kind, count in looks.items():
        own = sum(n for (look, of), n in by_kind.items() if look in GATEWAY and of == kind)
        found += [(kind, own / max(1, count) + shared)] * count
    return found


def named(text: str) -> bool:
    """Whether a query is about objects that it names."""
    return NAMES.search(text) is not None


def _nameless(text: str) -> str:
    return NAMES.sub('"…"', text)
