"""What a Prometheus was asked, from its own query log."""

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
    """One that was answered. `at`: the instant that it was evaluated at, Unix seconds."""

    text: str
    at: float

    @property
    def polled(self) -> str:
        """The metric, if a poll of the fleet asks so: the raw samples of all its series."""
        if self.text == "time()":
            return self.text
        metric = self.text.partition("{")[0]
        raw = metric in GATEWAY and self.text.endswith("s]")
        return metric if raw or metric == "up" else ""


def read(log: Path, offset: int = 0) -> tuple[list[Query], int]:
    """Every query logged from `offset` (bytes) on, and the offset of the next reading."""
    with log.open("rb") as file:
        file.seek(offset)
        content = file.read()
    whole = content[: content.rfind(b"\n") + 1]
    return [_query(json.loads(line)["params"]) for line in whole.splitlines()], offset + len(whole)


def _query(params: dict[str, str]) -> Query:
    at = datetime.fromisoformat(params["start"].replace("Z", "+00:00"))
    return Query(params["query"], at.timestamp())


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked in some time.

    `everybody`, `exposed`: of each poll of all objects, and of those in a canary, the number of its
    queries. `others`: how often everything else was asked, by text without objects' names.
    """

    everybody: tuple[float, ...]
    exposed: tuple[float, ...]
    others: Counter[str]


def counted(queries: Iterable[Query], since: float) -> Asked:
    """The polls among the queries, told apart by their instant.

    A poll reads Prometheus' clock and evaluates all its queries at that whole second. `since`: Unix
    seconds before the first query was logged. Only polls that lie wholly among the queries count:
    they began after `since`, and a later poll of their kind has begun.
    """
    seconds: defaultdict[int, list[Query]] = defaultdict(list)
    last: dict[bool, int] = {}
    others: Counter[str] = Counter()
    for query in queries:
        if not query.polled:
            others[_nameless(query.text)] += 1
            continue
        seconds[floor(query.at)].append(query)
        if query.polled == REQUESTS:
            kind = names_objects(query.text)
            last[kind] = max(last.get(kind, 0), floor(query.at))
    sizes: dict[bool, list[float]] = {True: [], False: []}
    for second in sorted(seconds):
        if since < second < min(last.values(), default=0):
            for kind, size in _polls(seconds[second], others):
                sizes[kind].append(size)
    return Asked(tuple(sizes[False]), tuple(sizes[True]), others)


def _polls(queries: list[Query], others: Counter[str]) -> list[tuple[bool, float]]:
    """Of one second: whether each poll names objects, and the number of its queries."""
    by_kind = Counter((query.polled, names_objects(query.text)) for query in queries)
    polls = {kind: by_kind[REQUESTS, kind] for kind in (True, False)}
    every = sum(polls.values())
    others["time()"] += max(0, by_kind["time()", False] - every)  # others read the clock too
    if not every:
        return []
    shared = (by_kind["up", False] + min(every, by_kind["time()", False])) / every
    found = []
    for kind, count in polls.items():
        own = sum(n for (metric, of), n in by_kind.items() if metric in GATEWAY and of == kind)
        found += [(kind, own / max(1, count) + shared)] * count
    return found


def names_objects(text: str) -> bool:
    """Whether the query selects objects by name."""
    return NAMES.search(text) is not None


def _nameless(text: str) -> str:
    return NAMES.sub('"…"', text)
