"""A small Prometheus for tests: counters over time, scraped on a rhythm, read as raw samples."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field

from merit.prometheus.answer import Answer, Series

LOOKBACK = 300.0  # seconds in which an instant query repeats the last value
T0 = 1_764_000_000.0
EDGES = (25.0, 50.0, 100.0, 250.0, 500.0)
XX = "envoy_cluster_upstream_rq_xx"
BUCKET = "envoy_cluster_upstream_rq_time_bucket"
TIMEOUT = "envoy_cluster_upstream_rq_timeout"
CANARY, STABLE = "aaaaaaaa", "bbbbbbbb"


def cluster(short: str) -> str:
    """The name Contour gives to the cluster of that revision of ns/fraud."""
    return f"ns_fraud-{short}_80"


@dataclass
class FakePrometheus:
    """Counters of some Envoys. `scrape()` stores their values at `now`; `instant` reads them."""

    now: float = T0
    counters: dict[tuple[str, str, str, str], float] = field(default_factory=dict)
    stored: dict[tuple[str, str, str, str], list[tuple[float, float]]] = field(default_factory=dict)
    queries: list[str] = field(default_factory=list)
    failing: Answer | None = None
    edges: tuple[float, ...] = EDGES
    down: set[str] = field(default_factory=set)

    def serve(
        self,
        short: str,
        ok: int = 0,
        failed: int = 0,
        *,
        ms: float = 30.0,
        timeouts: int = 0,
        target: str = "envoy-1",
    ) -> None:
        """So many requests end at this revision through this Envoy."""
        arm = cluster(short)
        for klass, n in (("2", ok), ("5", failed + timeouts)):
            if n:
                self._add((XX, target, arm, klass), n)
        for edge in (*self.edges, math.inf):
            le = "+Inf" if math.isinf(edge) else f"{edge:.1f}"
            self._add((BUCKET, target, arm, le), ok + failed if ms <= edge else 0)
        self._add((TIMEOUT, target, arm, ""), timeouts)

    def _add(self, key: tuple[str, str, str, str], n: float) -> None:
        self.counters[key] = self.counters.get(key, 0.0) + n

    def restart(self, target: str = "envoy-1") -> None:
        """The Envoy starts anew: its series are gone until they count again."""
        self.counters = {k: v for k, v in self.counters.items() if k[1] != target}

    def scrape(self, seconds: float = 5.0, *, only: str | None = None) -> None:
        """Time passes, then the targets are scraped."""
        self.now += seconds
        for key, value in self.counters.items():
            if only is None or key[1] == only:
                self.stored.setdefault(key, []).append((self.now, value))

    async def instant(self, query: str, at: float | None = None) -> Answer:
        """Understands what Merit asks, and nothing else."""
        self.queries.append(query)
        if self.failing:
            return self.failing
        at = self.now if at is None else at
        if query == "time()":
            return Answer((Series({}, ((self.now, self.now),)),))
        if query.startswith("label_replace(count("):
            asked = re.findall(r"count\((\w+)\{", query)
            counted = Counter(key[0] for key in self.stored)
            return Answer(
                tuple(Series({"metric": each}, ((at, counted[each]),))
                      for each in asked if each in counted)
            )  # fmt: skip
        if query.startswith("up{"):
            window = re.search(r"\[(\d+)s\]$", query)
            oldest = at - (float(window[1]) if window else LOOKBACK)
            scraped = {key[1]: points[-1][0] for key, points in self.stored.items()}
            scraped |= dict.fromkeys(self.down, at)
            return Answer(
                tuple(
                    Series(
                        {"job": "envoy", "instance": one}, ((last, float(one not in self.down)),)
                    )
                    for one, last in sorted(scraped.items())
                    if last > oldest
                )
            )
        if query.startswith("count by (le)"):
            spelled = {key[3] for key in self.stored if key[0] == BUCKET}
            return Answer(tuple(Series({"le": le}, ((at, 1.0),)) for le in sorted(spelled)))
        name = query.partition("{")[0]
        seconds = float(re.search(r"\[(\d+)s\]$", query)[1])
        matcher = re.search(r'le=~"([^"]*)"', query)
        pattern = matcher[1].replace("\\\\", "\\") if matcher else ".*"
        label = {XX: "envoy_response_code_class", BUCKET: "le", TIMEOUT: "unused"}[name]
        series = []
        for (metric, target, arm, key), points in self.stored.items():
            inside = tuple(p for p in points if at - seconds < p[0] <= at)
            if metric == name and inside and re.fullmatch(pattern, key):
                labels = {"job": "envoy", "instance": target, "envoy_cluster_name": arm}
                series.append(Series(labels | ({label: key} if key else {}), inside))
        return Answer(tuple(series))
