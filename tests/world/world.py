"""The world: a virtual clock, an API server, its controllers, traffic, and one operator.

The clock stands still while somebody works and jumps to when the next one has something to do. A
world can be copied at any write; the copy has a new operator, as after `kill -9`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from merit.kube import events as recorder
from merit.kube import watches
from merit.kube.cache import Cache, Key, owner_key
from merit.kube.errors import ApiError
from merit.policy.state.decision import Note
from merit.reconciler.breaker import CircuitBreaker
from merit.reconciler.loop import Reconciler
from merit.reconciler.telemetry import AlertSink, Telemetry
from tests.world.actors import Actors
from tests.world.invariants import Invariants
from tests.world.manifests import NAME, config
from tests.world.merge import Object
from tests.world.server import ApiServer, Faults, Killed
from tests.world.store import Commit, Store
from tests.world.traffic import MeasuredFleet, Traffic

WATCHED = ("ModelDeployment", "Deployment", "Pod", "Job", "HTTPRoute", "Service", "EndpointSlice")
LISTED = tuple(kind.kind for kind in watches.LISTED)  # kinds that are listed and never watched
RELIST = 600.0  # seconds between two lists of them
WITHOUT_ACTOR = ("ModelDeployment", "ConfigMap", "ControllerRevision", "Event")
BUSY = 60  # passes at one moment that count as an endless loop
START = 1_800_000_000.0


@dataclass(frozen=True)
class Step:
    """Something a user does, the condition to wait for, and the limit of that wait in seconds.

    The condition must still hold `hold` seconds later. `covered_elsewhere`: crashes during this
    step are explored by another script.
    """

    do: Callable[[World], None]
    until: Callable[[World], bool]
    limit: float = 900.0
    hold: float = 0.0
    name: str = ""
    covered_elsewhere: bool = False


class ReasonRecorder(recorder.EventRecorder):
    """The operator's own; it also collects the reason of every Event it was given."""

    def __init__(self, server: ApiServer, reasons: list[str]) -> None:
        super().__init__(server, instance="world")
        self._reasons = reasons

    async def note(self, obj: Mapping[str, Any], note: Note, at: float) -> None:
        """Collect the reason, and write the Event."""
        self._reasons.append(note.reason)
        await super().note(obj, note, at)


class World:
    """One ModelDeployment named by `key`. `due`: when the operator next reconciles it.

    `lag`: seconds that watch events are late. `per_pod`: the servers' own series are measured.
    `notes`: the reason of every Event so far. `routes`: when the route was written, and how.
    `breaker`: None, or the circuit breaker that outlives the operator. `leads`: whether its Lease
    is certain to hold. `flawed`: the operator has a defect, so that passes may raise.
    """

    def __init__(
        self,
        script: Sequence[Step],
        *,
        lag: float = 0.0,
        outbox: AlertSink | None = None,
        per_pod: bool = False,
    ) -> None:
        self.now = START
        self.script, self.position, self.begun = tuple(script), 0, False
        self.lag, self.outbox = lag, outbox
        self.breaker: CircuitBreaker | None = None
        self.leads = True
        self.flawed = False
        self.key = Key("risk", NAME)
        self.notes: list[str] = []
        self.restarts = 0
        self.routes: list[tuple[float, Object]] = []
        store = Store(self.clock)
        traffic = Traffic(store, per_pod=per_pod)
        self._wire(store, traffic, Invariants(store), ApiServer(store))

    def _wire(
        self, store: Store, traffic: Traffic, invariants: Invariants, server: ApiServer
    ) -> None:
        self.store, self.traffic, self.server = store, traffic, server
        self.invariants = invariants
        self.actors = Actors(store)
        self.wake_actors()
        self._actors_due = self.now
        store.listeners += [traffic.see, invariants.check, self._see]
        self.restart_operator()

    def clock(self) -> float:
        """Unix seconds."""
        return self.now

    def fork(self, breaker: CircuitBreaker | None = None) -> World:
        """A copy at this very moment, with a new operator and that circuit breaker."""
        other = copy.copy(self)
        other.outbox, other.breaker = None, breaker
        other.notes, other.routes = list(self.notes), list(self.routes)
        store = self.store.fork(other.clock)
        server = ApiServer(store, writes=self.server.writes, reads=self.server.reads)
        other._wire(store, self.traffic.fork(store), self.invariants.fork(store), server)
        other.actors.crash_looping = set(self.actors.crash_looping)
        other.actors.endings = self.actors.endings
        other.actors.pod_status = dict(self.actors.pod_status)
        other.actors.job_runs = {
            version: list(names) for version, names in self.actors.job_runs.items()
        }
        return other

    def restart_operator(self) -> None:
        """A new operator process: all it knows is what a LIST returns."""
        self.cache = Cache()
        self._events: list[tuple[float, Commit]] = []
        self.dues: dict[Key, float] = {}
        self._relisted = self.now
        self.passes = 0
        self.telemetry = Telemetry(self.outbox)
        self.reconciler = Reconciler(
            self.server,  # type: ignore[arg-type]
            self.cache,
            MeasuredFleet(self.traffic, self.now),  # type: ignore[arg-type]
            config(),
            ReasonRecorder(self.server, self.notes),
            self.clock,
            telemetry=self.telemetry,
            breaker=self.breaker,
            may_decide=lambda _seconds: self.leads,
        )
        self.due = self.now
        for (kind, namespace, name), obj in self.store.objects.items():
            if kind == "ModelDeployment":
                self.dues[Key(namespace, name)] = self.now
            self._to_cache(kind, obj)

    def wake_actors(self) -> None:
        """The controllers have something to do, though no object has changed."""
        self._actors_pending = True

    def set_pods(self, version: str, count: int, status: Object) -> None:
        """From now on so many pods of that version have this status."""
        self.actors.pod_status[version] = (count, status)
        self.wake_actors()

    def heal_pods(self) -> None:
        """From now on all pods start and run as they should."""
        self.actors.pod_status.clear()
        self.wake_actors()

    @property
    def due(self) -> float:
        """When the operator reconciles something next, Unix seconds."""
        return min(self.dues.values(), default=float("inf"))

    @due.setter
    def due(self, at: float) -> None:
        self.dues[self.key] = at

    def _see(self, commit: Commit) -> None:
        if commit.ref[0] == "HTTPRoute" and commit.new is not None:
            self.routes.append((self.now, commit.new))
        if commit.ref[0] not in WITHOUT_ACTOR or commit.new is None:
            self.wake_actors()
        self._events.append((self.now + self.lag, commit))

    def _to_cache(self, kind: str, obj: Object) -> bool:
        labelled = "merit.dev/name" in obj["metadata"].get("labels", {})
        if kind in (*WATCHED, *LISTED) and (labelled or kind == "ModelDeployment"):
            if kind == "HTTPRoute":
                meta = obj["metadata"]
                for other in self.reconciler.affected(Key(meta["namespace"], meta["name"]), obj):
                    self.dues[other] = self.now
            return self.cache.put(kind, obj)
        if kind in WATCHED:  # a watch by label reports an object that lost it as deleted
            meta = obj["metadata"]
            return self.cache.drop(kind, meta["namespace"], meta["name"], meta["uid"]) is not None
        return False

    def _relist(self) -> None:
        """Kinds that are not watched are listed every `RELIST` seconds."""
        if self.now - self._relisted < RELIST:
            return
        self._relisted = self.now
        for kind in LISTED:
            listed = {obj["metadata"]["uid"]: obj for obj in self.store.all(kind)}
            for uid, known in self.cache.known(kind).items():
                if uid not in listed:
                    meta = known["metadata"]
                    self.cache.drop(kind, meta["namespace"], meta["name"], uid)
                    self._wake(owner_key(kind, known))
            for obj in listed.values():
                if self._to_cache(kind, obj):
                    self._wake(owner_key(kind, obj))

    def _wake(self, key: Key | None) -> None:
        if key is not None:
            self.dues[key] = self.now

    def _deliver(self) -> None:
        """Watch events that are due reach the cache, and wake the objects that they concern."""
        self._relist()
        while self._events and self._events[0][0] <= self.now:
            _, commit = self._events.pop(0)
            kind, namespace, name = commit.ref
            obj = commit.new or commit.old
            assert obj is not None
            if kind not in WATCHED:
                continue
            if commit.new is None:
                self.cache.drop(kind, namespace, name, obj["metadata"]["uid"])
                woken = True
                if kind == "HTTPRoute":
                    for other in self.reconciler.affected(Key(namespace, name), None):
                        self._wake(other)
            else:
                woken = self._to_cache(kind, obj)
            if woken:
                self._wake(owner_key(kind, obj))

    async def play(self) -> World:
        """Play the rest of the script; AssertionError if an invariant breaks on the way."""
        while self.position < len(self.script):
            step = self.script[self.position]
            if not self.begun:
                step.do(self)
                self.begun = True
            await self.run(step.until, step.limit, step.name)
            if step.hold:
                await self.advance(step.hold)
                assert step.until(self), f"{step.name}: did not last: {self.describe()}"
            self.position, self.begun = self.position + 1, False
        assert not self.invariants.violations, self.invariants.violations
        return self

    async def run(self, until: Callable[[World], bool], limit: float, name: str = "") -> None:
        """Let time pass until it is so; AssertionError if that takes longer than `limit` s."""
        done = await self._run(until, self.now + limit, name)
        assert done, f"{name}: not within {limit:.0f} s: {self.describe()}"

    async def advance(self, seconds: float) -> None:
        """Let that much time pass."""
        end = self.now + seconds
        await self._run(lambda world: False, end, "advance")
        self.now = end

    async def _run(self, until: Callable[[World], bool], end: float, name: str) -> bool:
        busy, at = 0, self.now
        while True:
            if self._actors_pending or self._actors_due <= self.now:
                self._actors_due = self.actors.settle()
                self._actors_pending = False
            self._deliver()
            if until(self):
                return True
            if self.due <= self.now:
                busy = busy + 1 if at == self.now else 0
                at = self.now
                assert busy < BUSY, f"{name}: a busy loop: {self.server.log[-6:]}"
                await self._pass()
                continue
            next_event = self._events[0][0] if self._events else float("inf")
            moment = min(self.due, self._actors_due, next_event)
            if moment > end:
                return False
            self.now = max(self.now, moment)

    async def _pass(self) -> None:
        self.passes += 1
        key = min(self.dues, key=lambda k: (self.dues[k], k))
        del self.dues[key]
        try:
            requeue_after = await self.reconciler.reconcile(key)
        except Killed:
            self.restarts += 1
            self.restart_operator()
            return
        except ApiError:
            requeue_after = 1.0
        except Exception:
            if not self.flawed:
                raise
            requeue_after = 1.0
        assert self.flawed or not self.telemetry.internal_errors, "a pass has raised"
        if requeue_after is not None:
            at = self.now + max(requeue_after, 0.0)
            self.dues[key] = min(self.dues.get(key, at), at)

    @property
    def mdep(self) -> Object:
        """The ModelDeployment; empty if there is none."""
        return self.store.objects.get(("ModelDeployment", *self.key), {})

    @property
    def status(self) -> Object:
        """Its status."""
        return self.mdep.get("status", {})

    @property
    def weights(self) -> dict[str, int]:
        """The traffic as the gateway splits it: percent per version."""
        split = self.traffic.history[-1][1] if self.traffic.history else {}
        return {self.traffic.versions.get(short, short): part for short, part in split.items()}

    def version(self, part: str) -> str:
        """The version of `stable` or `candidate`, or nothing."""
        return (self.status.get(part) or {}).get("version", "")

    def short(self, version: str) -> str:
        """The short revision of a version that has had a Deployment."""
        return next(s for s, v in self.traffic.versions.items() if v == version)

    def condition(self, kind: str) -> Object:
        """The status condition of that type; empty if there is none."""
        conditions = self.status.get("conditions", [])
        return next((c for c in conditions if c["type"] == kind), {})

    def flow(self, stage: str) -> Object:
        """What status says of a stage of the flow; empty if it says nothing."""
        return next((s for s in self.status.get("flow", []) if s["stage"] == stage), {})

    def describe(self) -> str:
        """The state of the rollout, for the message of a failed assertion."""
        status = self.status
        picked = {k: status.get(k) for k in ("phase", "summary", "candidate", "stable", "next")}
        flow = status.get("flow", [])[-1:]
        violations = self.invariants.violations
        return f"{picked} {flow} {self.weights} {violations} {self.server.log[-5:]}"


def faulty(script: Sequence[Step], faults: Faults) -> World:
    """A world whose API server, or operator process, has these faults."""
    world = World(script)
    world.server.faults = faults
    return world
