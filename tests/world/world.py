"""The world: a virtual clock, an API server, its actors, traffic, a monitor, and one operator.

Time stands still while somebody works and jumps to when the next one has something to do. A world
can be copied at any write; the copy has no operator, as after `kill -9`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from merit.cluster import recorder, watches
from merit.cluster.cache import Cache, Key
from merit.cluster.errors import ApiError
from merit.policy.decision import Note
from merit.reconciler.loop import Reconciler
from merit.reconciler.witness import Tells, Witness
from tests.world.actors import Actors
from tests.world.manifests import config
from tests.world.monitor import Monitor
from tests.world.server import Faults, Killed, Server
from tests.world.store import Commit, Store
from tests.world.traffic import Fleet, Traffic

WATCHED = ("ModelDeployment", "Deployment", "Pod", "Job", "HTTPRoute", "Service", "EndpointSlice")
LISTED = tuple(kind.kind for kind in watches.LISTED)  # known from lists alone
SWEEP = 600.0
QUIET = ("ModelDeployment", "ConfigMap", "ControllerRevision", "Event")  # no actor cares
BUSY = 60  # passes without time moving on that count as a loop
START = 1_800_000_000.0


@dataclass(frozen=True)
class Step:
    """Something a user does, what is then waited for, and for how many seconds at most.

    For `hold` seconds more it must stay so. `known`: what may go wrong meanwhile is explored in
    another scenario.
    """

    do: Callable[[World], None]
    until: Callable[[World], bool]
    limit: float = 900.0
    hold: float = 0.0
    name: str = ""
    known: bool = False


class Recorder(recorder.Recorder):
    """The operator's own, which remembers for the tests what it was asked to tell."""

    def __init__(self, server: Server, notes: list[str]) -> None:
        super().__init__(server, instance="world")
        self._notes = notes

    async def note(self, obj: Mapping[str, Any], note: Note, at: float) -> None:
        """Remember its reason, and write the Event."""
        self._notes.append(note.reason)
        await super().note(obj, note, at)


class World:
    """One object's life. `key` is its name; `due` when the operator looks at it next."""

    def __init__(
        self, script: Sequence[Step], *, lag: float = 0.0, outbox: Tells | None = None
    ) -> None:
        self.now = START
        self.script, self.position, self.begun = tuple(script), 0, False
        self.lag, self.outbox = lag, outbox
        self.key = Key("risk", "fraud-scorer")
        self.notes: list[str] = []
        self.restarts = 0
        self.routes: list[tuple[float, dict[str, Any]]] = []
        store = Store(self.clock)
        self._wire(store, Traffic(store), Monitor(store), Server(store))

    def _wire(self, store: Store, traffic: Traffic, monitor: Monitor, server: Server) -> None:
        self.store, self.traffic, self.monitor, self.server = store, traffic, monitor, server
        self.actors = Actors(store)
        self.restless = True
        self._actors_due = self.now
        store.listeners += [traffic.see, monitor.see, self._see]
        self._start()

    def clock(self) -> float:
        """Unix seconds."""
        return self.now

    def fork(self) -> World:
        """A copy at this very moment; its operator starts anew."""
        other = copy.copy(self)
        other.outbox = None
        other.notes, other.routes = list(self.notes), list(self.routes)
        store = self.store.fork(other.clock)
        server = Server(store, writes=self.server.writes, reads=self.server.reads)
        other._wire(store, self.traffic.fork(store), self.monitor.fork(store), server)
        other.actors.looping = set(self.actors.looping)
        other.actors.endings = self.actors.endings
        other.actors.ailing = dict(self.actors.ailing)
        other.actors.ran = {version: list(names) for version, names in self.actors.ran.items()}
        return other

    def _start(self) -> None:
        """A new operator: what it knows is what a LIST answers."""
        self.cache = Cache()
        self._events: list[tuple[float, Commit]] = []
        self.dues: dict[Key, float] = {}
        self._swept = self.now
        self.passes = 0
        self.witness = Witness(self.outbox)
        self.reconciler = Reconciler(
            self.server,  # type: ignore[arg-type]
            self.cache,
            Fleet(self.traffic, self.now),  # type: ignore[arg-type]
            config(),
            Recorder(self.server, self.notes),
            self.clock,
            self.witness,
        )
        self.due = self.now
        for (kind, namespace, name), obj in self.store.objects.items():
            if kind == "ModelDeployment":
                self.dues[Key(namespace, name)] = self.now
            self._to_cache(kind, obj)

    @property
    def due(self) -> float:
        """When the operator looks at something next."""
        return min(self.dues.values(), default=float("inf"))

    @due.setter
    def due(self, at: float) -> None:
        self.dues[self.key] = at

    def _see(self, commit: Commit) -> None:
        if commit.ref[0] == "HTTPRoute" and commit.new is not None:
            self.routes.append((self.now, commit.new))
        if commit.ref[0] not in QUIET or commit.new is None:
            self.restless = True
        self._events.append((self.now + self.lag, commit))

    def _to_cache(self, kind: str, obj: dict[str, Any]) -> bool:
        labelled = "merit.dev/name" in obj["metadata"].get("labels", {})
        if kind in (*WATCHED, *LISTED) and (labelled or kind == "ModelDeployment"):
            if kind == "ModelDeployment":
                meta = obj["metadata"]
                for other in self.reconciler.concerned(Key(meta["namespace"], meta["name"]), obj):
                    self.dues[other] = self.now
            return self.cache.put(kind, obj)
        if kind in WATCHED:  # a watch by label tells of an object that lost it as if it were gone
            meta = obj["metadata"]
            return self.cache.drop(kind, meta["namespace"], meta["name"], meta["uid"]) is not None
        return False

    def _sweep(self) -> None:
        """Kinds that are not watched are listed now and then."""
        if self.now - self._swept < SWEEP:
            return
        self._swept = self.now
        for kind in LISTED:
            there = {obj["metadata"]["uid"]: obj for obj in self.store.all(kind)}
            for uid, known in self.cache.known(kind).items():
                if uid not in there:
                    meta = known["metadata"]
                    self.cache.drop(kind, meta["namespace"], meta["name"], uid)
                    self._wake(self.cache.owner_key(kind, known))
            for obj in there.values():
                if self._to_cache(kind, obj):
                    self._wake(self.cache.owner_key(kind, obj))

    def _wake(self, key: Key | None) -> None:
        if key is not None:
            self.dues[key] = self.now

    def _deliver(self) -> None:
        """Watch events that are due reach the cache, and wake whom they concern."""
        self._sweep()
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
                if kind == "ModelDeployment":
                    for other in self.reconciler.concerned(Key(namespace, name), None):
                        self._wake(other)
            else:
                woken = self._to_cache(kind, obj)
            if woken:
                self._wake(self.cache.owner_key(kind, obj))

    async def play(self) -> World:
        """The rest of the script, and what the monitor has to say about it."""
        while self.position < len(self.script):
            step = self.script[self.position]
            if not self.begun:
                step.do(self)
                self.begun = True
            await self.run(step.until, step.limit, step.name)
            if step.hold:
                await self.rest(step.hold)
                assert step.until(self), f"{step.name}: did not last: {self.story()}"
            self.position, self.begun = self.position + 1, False
        assert not self.monitor.violations, self.monitor.violations
        return self

    async def run(self, until: Callable[[World], bool], limit: float, name: str = "") -> None:
        """Let time pass until it is so; AssertionError if that takes longer than `limit`."""
        done = await self._run(until, self.now + limit, name)
        assert done, f"{name}: not within {limit:.0f} s: {self.story()}"

    async def rest(self, seconds: float) -> None:
        """Let time pass, whatever happens."""
        end = self.now + seconds
        await self._run(lambda world: False, end, "rest")
        self.now = end

    async def _run(self, until: Callable[[World], bool], end: float, name: str) -> bool:
        busy, at = 0, self.now
        while True:
            if self.restless or self._actors_due <= self.now:
                self._actors_due = self.actors.settle()
                self.restless = False
            self._deliver()
            if until(self):
                return True
            if self.due <= self.now:
                busy = busy + 1 if at == self.now else 0
                at = self.now
                assert busy < BUSY, f"{name}: a busy loop: {self.server.log[-6:]}"
                await self._pass()
                continue
            following = self._events[0][0] if self._events else float("inf")
            moment = min(self.due, self._actors_due, following)
            if moment > end:
                return False
            self.now = max(self.now, moment)

    async def _pass(self) -> None:
        self.passes += 1
        key = min(self.dues, key=lambda k: (self.dues[k], k))
        del self.dues[key]
        try:
            again = await self.reconciler.reconcile(key)
        except Killed:
            self.restarts += 1
            self._start()
            return
        except ApiError:
            again = 1.0
        if again is not None:
            at = self.now + max(again, 0.0)
            self.dues[key] = min(self.dues.get(key, at), at)

    @property
    def mdep(self) -> dict[str, Any]:
        """The ModelDeployment as it stands; empty if it is gone."""
        return self.store.objects.get(("ModelDeployment", *self.key), {})

    @property
    def status(self) -> dict[str, Any]:
        """Its status."""
        return self.mdep.get("status", {})

    @property
    def weights(self) -> dict[str, int]:
        """What the gateway does: percent per version."""
        split = self.traffic.history[-1][1] if self.traffic.history else {}
        return {self.traffic.versions.get(short, short): part for short, part in split.items()}

    def version(self, part: str) -> str:
        """The version of `stable` or `candidate`, or nothing."""
        return (self.status.get(part) or {}).get("version", "")

    def story(self) -> str:
        """For a failed assertion: where things stand."""
        status = self.status
        picked = {k: status.get(k) for k in ("phase", "summary", "candidate", "stable", "next")}
        flow = status.get("flow", [])[-1:]
        return f"{picked} {flow} {self.weights} {self.monitor.violations} {self.server.log[-5:]}"


def faulty(script: Sequence[Step], faults: Faults) -> World:
    """A world in which the API server, or the operator's process, has these faults."""
    world = World(script)
    world.server.faults = faults
    return world
