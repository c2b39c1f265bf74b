"""Live traffic and its metrics: all counters are a function of the history of the route.

Requests come at a fixed rate and are split exactly by weight, so a restarted operator reads the
same counters as the one before. Nothing is random: a run can be repeated and compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from merit.policy.state.measurements import Figure, Readings
from merit.prometheus.sources import View
from merit.stats.counts import ArmPair, Counts, NoSample, Sample
from tests.world.evaluations import env
from tests.world.manifests import NAME
from tests.world.store import Commit, Store

SCRAPE = 15.0
READING = 30.0  # seconds between two readings of a query
EVENT_WINDOW = 300.0  # seconds that a query looks back
RPS = 200.0
LONGEST_GAP = 600.0  # seconds; after a longer one a new baseline, as with a real Prometheus
ERRORS: dict[str, float] = {"failing": 0.06}
NORMAL_ERRORS = 0.0005
SLOW = 0.002


@dataclass
class Traffic:
    """The requests of every revision.

    `history`: from when on the traffic was split how, percent per short revision.
    `error_changes`: from when on which version ("*": every one) has had which share of errors.
    `events`: when something happened that must never happen. `reachable`: Prometheus answers;
    `takes_queries`: users' queries, too. `histograms`: it has those of latency. `rps`: requests
    per second.
    """

    store: Store
    history: list[tuple[float, dict[str, int]]] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    reachable: bool = True
    takes_queries: bool = True
    histograms: bool = True
    error_changes: list[tuple[float, str, float]] = field(default_factory=list)
    per_pod: bool = False
    events: list[float] = field(default_factory=list)
    rps: float = RPS

    def fork(self, store: Store) -> Traffic:
        """An independent copy."""
        return replace(
            self,
            store=store,
            history=list(self.history),
            versions=dict(self.versions),
            error_changes=list(self.error_changes),
            events=list(self.events),
        )

    def set_errors(self, version: str, share: float, since: float | None = None) -> None:
        """From now, or since then, that share of its requests fails; "*" is every version."""
        self.error_changes.append((since or self.store.now(), version, share))

    def record_event(self) -> None:
        """Something happens at this moment that must never happen."""
        self.events.append(self.store.now())

    def see(self, commit: Commit) -> None:
        """Take note of a change of a route, an EndpointSlice or a Deployment."""
        kind, _, name = commit.ref
        if kind == "HTTPRoute" and name == NAME:
            self.history.append((self.store.now(), weights(commit.new)))
        elif kind == "EndpointSlice" and name == f"{NAME}-slice" and self._by_pods():
            self.history.append((self.store.now(), shares(commit.new)))
        elif kind == "Deployment" and commit.new is not None:
            version = env(commit.new["spec"]["template"], "MERIT_MODEL_VERSION")
            self.versions[name.rpartition("-")[2]] = version

    def _by_pods(self) -> bool:
        """Without a gateway, all clients use the Service."""
        return not any(ref[0] == "HTTPRoute" and ref[2] == NAME for ref in self.store.objects)

    def requests(self, short: str, at: float) -> int:
        """The requests that a revision has had until then."""
        total, until = 0.0, at
        for start, split in reversed(self.history):
            total += max(0.0, min(until, at) - start) * self.rps * split.get(short, 0) / 100
            until = start
        return int(total)

    def failed(self, short: str, at: float) -> int:
        """The requests with an error until then."""
        version = self.versions.get(short, "")
        share, since, total = ERRORS.get(version, NORMAL_ERRORS), 0, 0.0
        for start, changed, share_then in self.error_changes:
            if start < at and changed in (version, "*"):
                sent = self.requests(short, start)
                total, since, share = total + (sent - since) * share, sent, share_then
        return int(total + (self.requests(short, at) - since) * share)

    def slow(self, short: str, at: float) -> int:
        """The requests until then that were slower than any threshold."""
        return int(self.requests(short, at) * SLOW)


def weights(route: dict[str, Any] | None) -> dict[str, int]:
    """Percent per revision, as a gateway reads them."""
    found: dict[str, int] = {}
    for rule in (route or {}).get("spec", {}).get("rules", [])[:1]:
        for backend in rule.get("backendRefs", []):
            short = backend["name"].rpartition("-")[2]
            found[short] = found.get(short, 0) + backend.get("weight", 1)
    total = sum(found.values())
    return {short: round(100 * part / total) for short, part in found.items()} if total else {}


def shares(endpoints: dict[str, Any] | None) -> dict[str, int]:
    """Percent per revision, as connections fall on the ready pods of a Service."""
    found: dict[str, int] = {}
    for endpoint in (endpoints or {}).get("endpoints", []):
        if endpoint["conditions"]["ready"]:
            short = endpoint["targetRef"]["name"].split("-")[-2]
            found[short] = found.get(short, 0) + 1
    total = sum(found.values())
    return {short: round(100 * part / total) for short, part in found.items()} if total else {}


@dataclass
class MeasuredFleet:
    """Replaces `merit.prometheus.fleet.Fleet`: a scrape every 15 s, without lag.

    `began`: nothing is known of readings before it; they were read by an earlier process.
    """

    traffic: Traffic
    began: float = 0.0

    async def tick(self, *_: Any, **__: Any) -> None:
        """Nothing to do: counters are computed on demand."""

    def available(self) -> tuple[bool, str, str]:
        """Whether Prometheus answers."""
        if self.traffic.reachable:
            return True, "Fresh", "errors, latency"
        return False, "MetricsLost", "Prometheus does not answer"

    def view_of(self, source: str, *, by_pods: bool) -> str:
        """There is one view."""
        return source

    def view(self, source: str) -> View | None:
        """That one, with all parts in one; none for an object that may use no source."""
        if not source:
            return None
        this: Any = self
        return View(this, this if self.traffic.per_pod else None, False, this, this)

    def idle(self, namespace: str, name: str, short: str, port: int) -> bool:
        """No request in the last two scrapes."""
        if not self.traffic.reachable:
            return False
        at = self._grid()
        return self.traffic.requests(short, at) == self.traffic.requests(short, at - 2 * SCRAPE)

    def sample(self, arms: Any) -> Sample | NoSample:
        """The counts of both revisions since `arms.since`."""
        if not self.traffic.reachable:
            return NoSample("MetricsLost", "Prometheus does not answer")
        at, since = self._grid(), arms.since
        why = "latency/p99: there are requests and no model_request_duration_seconds_bucket"
        lost = {} if self.traffic.histograms else {"latency/p99": NoSample("NoSeries", why)}
        if since is None or at - since > LONGEST_GAP:
            return Sample(at=at, since=None, signals={}, lost=lost)
        if at <= since:
            return Sample(at=since, since=since, signals={}, lost=lost)
        signals = {}
        for name, counter in self._counters().items():
            candidate = self._counts(arms.candidate, counter, since, at)
            stable = self._counts(arms.stable, counter, since, at)
            signals[name] = ArmPair(candidate, stable, candidate, stable)
        return Sample(at=at, since=since, signals=signals, lost=lost)

    def display(
        self, namespace: str, name: str, short: str, port: int, edges: Any
    ) -> dict[str, Figure]:
        """The last minute of one revision."""
        if not self.traffic.reachable:
            return {}
        at = self._grid()
        found = {}
        for name_, counter in self._counters().items():
            counts = self._counts(short, counter, at - 60.0, at)
            if counts.n:
                share = counts.bad / counts.n
                found[name_] = Figure(share=share, n=int(counts.n), value=f"{share:.2%}")
        return found

    def warnings(self, edges: Any) -> tuple[tuple[str, str], ...]:
        """None: every threshold is a bucket edge here."""
        return ()

    def dispersion(self, *_: Any, **__: Any) -> dict[str, float]:
        """No server is read here."""
        return {}

    def windows(self, *_: Any, **__: Any) -> NoSample:
        """No server is read here."""
        return NoSample("NoSource", "the metrics source reads no series of the servers")

    pair = windows

    def readings(self, query: str, namespace: str, now: float) -> Readings:
        """The events of the last five minutes, whatever the query, read since `began`."""
        if not (self.traffic.reachable and self.traffic.takes_queries):
            return NoSample("QueryFailed", "Prometheus did not answer the query")
        newest = self.traffic.store.now() // READING * READING
        times = [newest - READING * i for i in range(9, -1, -1)]
        read = tuple((at, self._events(at)) for at in times if at >= self.began)
        return read or NoSample("Unobserved", "the query has not been asked yet")

    def _counters(self) -> dict[str, Any]:
        found = {"errors": self.traffic.failed}
        return found | ({"latency/p99": self.traffic.slow} if self.traffic.histograms else {})

    def _events(self, at: float) -> float:
        return float(sum(at - EVENT_WINDOW < event <= at for event in self.traffic.events))

    def _grid(self) -> float:
        return self.traffic.store.now() // SCRAPE * SCRAPE

    def _counts(self, short: str | None, counter: Any, since: float, at: float) -> Counts:
        if not short:
            return Counts()
        requests = self.traffic.requests
        n = requests(short, at) - requests(short, since)
        return Counts(n=float(n), bad=float(min(n, counter(short, at) - counter(short, since))))
