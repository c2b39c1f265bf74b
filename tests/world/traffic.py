"""Live traffic, and the metrics that tell of it: counters are a function of what the route was.

Requests come at a fixed rate and are split exactly by weight, so an operator that starts again
reads the same counters as the one before. Nothing is random: a run can be repeated and compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from merit.evidence.counts import ArmPair, Counts, NoSample, Sample
from merit.metrics.pods import Dispersion
from merit.policy.observed import Figure, Readings
from tests.world.evaluations import env
from tests.world.store import Commit, Store

NAME = "fraud-scorer"
SCRAPE = 15.0
READ = 30.0  # seconds between two readings of a query
EVENTS = 300.0  # seconds that a query looks back
RPS = 200.0
LONGEST = 600.0  # as the real one: after a longer gap a new baseline
ERRORS: dict[str, float] = {"failing": 0.06}
NORMAL_ERRORS = 0.0005
SLOW = 0.002


@dataclass
class Traffic:
    """What every arm was sent. `history`: since when which arm has had which percentage."""

    store: Store
    history: list[tuple[float, dict[str, int]]] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    reachable: bool = True
    turns: list[tuple[float, str, float]] = field(default_factory=list)
    per_pod: bool = False
    events: list[float] = field(default_factory=list)

    def fork(self, store: Store) -> Traffic:
        """The same past, on its own."""
        return replace(
            self,
            store=store,
            history=list(self.history),
            versions=dict(self.versions),
            turns=list(self.turns),
            events=list(self.events),
        )

    def turn(self, version: str, share: float) -> None:
        """From now on this version fails so often; "*" is every version."""
        self.turns.append((self.store.now(), version, share))

    def happens(self) -> None:
        """At this moment something happens that must never happen."""
        self.events.append(self.store.now())

    def see(self, commit: Commit) -> None:
        """A route, a Service or a Deployment has changed."""
        kind, _, name = commit.ref
        if kind == "HTTPRoute" and name == NAME:
            self.history.append((self.store.now(), weights(commit.new)))
        elif kind == "EndpointSlice" and name == f"{NAME}-slice" and self._by_pods():
            self.history.append((self.store.now(), shares(commit.new)))
        elif kind == "Deployment" and commit.new is not None:
            version = env(commit.new["spec"]["template"], "MERIT_MODEL_VERSION")
            self.versions[name.rpartition("-")[2]] = version

    def _by_pods(self) -> bool:
        """Nobody has a gateway before it: whoever asks, asks the Service."""
        return not any(ref[0] == "HTTPRoute" and ref[2] == NAME for ref in self.store.objects)

    def requests(self, short: str, at: float) -> int:
        """How many requests an arm was sent until then."""
        total, until = 0.0, at
        for start, split in reversed(self.history):
            total += max(0.0, min(until, at) - start) * RPS * split.get(short, 0) / 100
            until = start
        return int(total)

    def failed(self, short: str, at: float) -> int:
        """How many of them got an error."""
        version = self.versions.get(short, "")
        share, since, total = ERRORS.get(version, NORMAL_ERRORS), 0, 0.0
        for start, who, then in self.turns:
            if start < at and who in (version, "*"):
                sent = self.requests(short, start)
                total, since, share = total + (sent - since) * share, sent, then
        return int(total + (self.requests(short, at) - since) * share)

    def slow(self, short: str, at: float) -> int:
        """How many of them took longer than any bar allows."""
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
class Fleet:
    """Stands in for `merit.metrics.fleet.Fleet`: one scrape every fifteen seconds, no lag."""

    traffic: Traffic
    began: float = 0.0  # as the real one, it knows nothing of what was read by an earlier process

    async def tick(self, *_: Any, **__: Any) -> None:
        """Nothing is kept: counters are worked out when they are asked for."""

    def available(self) -> tuple[bool, str, str]:
        """Whether Prometheus answers."""
        if self.traffic.reachable:
            return True, "Fresh", "errors, latency"
        return False, "MetricsLost", "Prometheus does not answer"

    def view_of(self, source: str, *, by_pods: bool) -> str:
        """One view has it all."""
        return source

    def per_pod(self, source: str) -> bool:
        """Whether the servers' own series are read."""
        return self.traffic.per_pod

    def idle(self, namespace: str, name: str, short: str, port: int, *, source: str = "") -> bool:
        """No request in the last two scrapes."""
        if not self.traffic.reachable:
            return False
        at = self._grid()
        return self.traffic.requests(short, at) == self.traffic.requests(short, at - 2 * SCRAPE)

    def sample(self, arms: Any) -> Sample | NoSample:
        """What both arms did since `arms.since`."""
        if not self.traffic.reachable:
            return NoSample("MetricsLost", "Prometheus does not answer")
        at, since = self._grid(), arms.since
        if since is None or at - since > LONGEST:
            return Sample(at=at, since=None, signals={})
        if at <= since:
            return Sample(at=since, since=since, signals={})
        counters = {"errors": self.traffic.failed, "latency/p99": self.traffic.slow}
        signals = {}
        for name, counter in counters.items():
            candidate = self._counts(arms.candidate, counter, since, at)
            stable = self._counts(arms.stable, counter, since, at)
            signals[name] = ArmPair(candidate, stable, candidate, stable)
        return Sample(at=at, since=since, signals=signals)

    def display(
        self, namespace: str, name: str, short: str, port: int, edges: Any, *, source: str = ""
    ) -> dict[str, Figure]:
        """The last minute of one revision."""
        if not self.traffic.reachable:
            return {}
        at = self._grid()
        counters = {"errors": self.traffic.failed, "latency/p99": self.traffic.slow}
        found = {}
        for name_ in edges:
            counts = self._counts(short, counters[name_], at - 60.0, at)
            if counts.n:
                share = counts.bad / counts.n
                found[name_] = Figure(share=share, n=int(counts.n), value=f"{share:.2%}")
        return found

    def warnings(self, edges: Any, *, source: str = "") -> tuple[tuple[str, str], ...]:
        """Every bound is a bucket edge here."""
        return ()

    def dispersion(self, *_: Any, **__: Any) -> Dispersion:
        """No server is read here."""
        return Dispersion()

    def windows(self, *_: Any, **__: Any) -> NoSample:
        """No server is read here."""
        return NoSample("NoSource", "the metrics source reads no series of the servers")

    pair = windows

    def readings(self, query: str, *, source: str = "") -> Readings:
        """How often it happened in the last five minutes, whatever is asked, read since `began`."""
        if not self.traffic.reachable:
            return NoSample("QueryFailed", "Prometheus did not answer the query")
        newest = self.traffic.store.now() // READ * READ
        times = [newest - READ * i for i in range(9, -1, -1)]
        told = tuple((at, self._events(at)) for at in times if at >= self.began)
        return told or NoSample("Unobserved", "the query has not been asked yet")

    def _events(self, at: float) -> float:
        return float(sum(at - EVENTS < event <= at for event in self.traffic.events))

    def _grid(self) -> float:
        return self.traffic.store.now() // SCRAPE * SCRAPE

    def _counts(self, short: str | None, counter: Any, since: float, at: float) -> Counts:
        if not short:
            return Counts()
        requests = self.traffic.requests
        n = requests(short, at) - requests(short, since)
        return Counts(n=float(n), bad=float(min(n, counter(short, at) - counter(short, since))))
