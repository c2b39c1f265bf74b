"""One pass over one object: gather, decide, circuit breaker, execute, write status.

What an object needs is derived anew in each pass; nothing is carried over that may not be lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from merit.api.names import API_VERSION, KIND
from merit.api.status import Status
from merit.config import Config
from merit.kube.cache import Cache, Key
from merit.kube.client import Cluster
from merit.kube.errors import ApiError, Conflict, NotFound
from merit.kube.events import EventRecorder
from merit.policy.decide import decide
from merit.policy.outcomes.incident import blame_pending, may_trip
from merit.policy.relief import decide_despite
from merit.policy.report.conditions import with_failure
from merit.policy.state.decision import Decision
from merit.policy.state.observed import Observed
from merit.prometheus.sources import PollResult, Sources
from merit.reconciler.breaker import CircuitBreaker
from merit.reconciler.effects.object_writer import QUICK, Foreign, NotReady, ObjectWriter
from merit.reconciler.execute import AT_ONCE, SOON, carry_out, execute
from merit.reconciler.exposure import Exposure
from merit.reconciler.gather import Gatherer, Object, unreadable
from merit.reconciler.measurements import unmeasured
from merit.reconciler.memory import Memory
from merit.reconciler.route_claims import RouteClaims
from merit.reconciler.telemetry import Telemetry
from merit.reconciler.urgency import is_urgent, takes_long

WAIT = 1.0  # seconds; the circuit breaker wakes the object earlier if it need not wait


@dataclass(slots=True)
class _Pass:
    """One pass over one object. `on_record`: its status as stored now, as seen or as written."""

    key: Key
    obj: Object
    memory: Memory
    now: float
    seen: Observed
    on_record: Status


class Reconciler:
    """Brings each object to where it should be. All that is kept here may be lost at any time.

    `now`: Unix seconds. `may_decide`: whether a write of so many seconds ends while this process
    certainly leads. `defer`: is called with an object that needs a pass that is not hurried.
    """

    def __init__(
        self,
        cluster: Cluster,
        cache: Cache,
        metrics: Sources,
        config: Config,
        recorder: EventRecorder,
        now: Callable[[], float],
        *,
        telemetry: Telemetry | None = None,
        breaker: CircuitBreaker | None = None,
        may_decide: Callable[[float], bool] = lambda _seconds: True,
        defer: Callable[[Key], None] = lambda _key: None,
    ) -> None:
        self._cluster, self._cache, self._recorder, self._now = cluster, cache, recorder, now
        self._may_write, self._defer = partial(may_decide, QUICK), defer
        self._exposure = Exposure(cache, config, metrics)
        self._route_claims = RouteClaims()
        self._gatherer = Gatherer(cluster, cache, metrics, config, self._route_claims)
        self._memories: dict[Key, Memory] = {}
        self._urgent: set[Key] = set()
        self._telemetry, self._breaker = telemetry or Telemetry(), breaker or CircuitBreaker()

    def urgent(self, key: Key) -> bool:
        """Whether this key belongs in the safety lane."""
        return key in self._urgent or is_urgent(self._exposure.status(key))

    def affected(self, key: Key, route: Object | None) -> set[Key]:
        """Which objects wait for the route of that name, which is new, changed, or gone (None)."""
        return self._route_claims.update(key, route)

    def wants_sample(self, key: Key) -> bool:
        """Whether a new poll of a metrics source may change something for this object."""
        return bool(self._exposure.status(key).get("stable"))

    def polled(self, poll: PollResult, keys: Iterable[Key]) -> None:
        """A poll of a metrics source has finished; these objects are judged together by it."""
        self._exposure.begin(self._breaker, poll, keys, self._now())

    def exposed(self) -> dict[str, frozenset[Key]]:
        """Objects whose traffic is being judged, or soon will be, by view of a metrics source."""
        return self._exposure.by_view()

    async def reconcile(self, key: Key, *, hurried: bool = False) -> float | None:
        """One pass, or two: what takes traffic away acts before other objects are judged.

        Returns seconds until the next, None if only an event can matter. Raises ApiError: the queue
        backs off. `hurried`: what may take long is left to a slot of its own, by `defer`.
        """
        obj = self._cache.get(KIND, *key)
        if obj is None:
            self._forget(key)
            return None
        try:
            wait = await self._pass(key, obj, hurried=hurried)
            if wait == AT_ONCE and key in self._urgent:
                wait = await self._pass(key, self._cache.get(KIND, *key) or obj, hurried=hurried)
            return wait
        except Exception as error:
            if not isinstance(error, ApiError | NotReady | Foreign):
                await self._say_failed(key, error)  # a defect of ours, not in the decision
            raise

    async def _pass(self, key: Key, obj: Object, *, hurried: bool) -> float | None:
        seen, memory, now = await self._gather(key, obj)
        seen, decision = self._decide(key, seen, memory, now)
        if not self._may_write():
            return SOON  # the Lease may expire before a write ends: another replica decides
        this = _Pass(key, obj, memory, now, seen, on_record=seen.status)
        overtaken = memory.overtaken
        try:
            writer = ObjectWriter(self._cluster, self._cache, key, obj, seen, memory, now)
            if hurried and any(takes_long(seen, decision, each) for each in decision.actions):
                return await self._carry_out_in_part(writer, decision)
            return await self._carry_out(this, decision, writer)
        except (Conflict, NotFound):
            await self._read_again(key, seen.uid)
            if memory.overtaken and not overtaken:
                return AT_ONCE  # decided again on what is there now
            raise
        finally:
            self._telemetry.report(key, seen, this.on_record, now)

    def _forget(self, key: Key) -> None:
        self._urgent.discard(key)
        self._memories.pop(key, None)
        self._breaker.forget(key)
        self._route_claims.forget(key)
        self._telemetry.forget(key)

    async def _gather(self, key: Key, obj: Object) -> tuple[Observed, Memory, float]:
        uid = obj["metadata"]["uid"]
        memory, now = self._memories.get(key), self._now()
        if memory is None or memory.uid != uid:
            memory = self._memories[key] = Memory(uid)
        memory.expire(now)
        seen = await self._gatherer.observe(key, obj, memory, now)
        before, memory.failed = memory.failed, ""
        undelivered, incident = self._telemetry.undelivered(key), self._breaker.incident(key, now)
        seen = replace(seen, undelivered=undelivered, incident=incident, failed=before)
        try:
            seen = self._gatherer.with_measurements(key, seen)
        except Exception as error:  # nothing is measured, then: it holds, and what is known acts
            seen = unmeasured(self._failed(key, seen, memory, error))
        return seen, memory, now

    def _failed(self, key: Key, seen: Observed, memory: Memory, error: Exception) -> Observed:
        memory.failed = type(error).__name__
        self._telemetry.failed(key, error, new=memory.failed != seen.failed)
        return replace(seen, failed=memory.failed)

    def _decide(
        self, key: Key, seen: Observed, memory: Memory, now: float
    ) -> tuple[Observed, Decision]:
        """What to do, with the view that it rests on.

        Where blame waits or is held, everything else is decided all the same.
        """
        seen, decision = self._answer(key, seen, memory, now)
        bad, relieved = decision.scored and may_trip(seen.status), blame_pending(seen.status)
        outcome = self._breaker.vote(key, bad=bad, relieved=relieved, now=now)
        if outcome != "act":
            incident = self._breaker.incident(key, now)
            seen = replace(seen, incident=incident, counting=outcome == "wait")
            seen, decision = self._answer(key, seen, memory, now)
        if outcome == "wait" and not decision.decisive_status:
            decision = replace(decision, requeue_after=min(WAIT, decision.requeue_after or WAIT))
        if decision.urgent:
            self._urgent.add(key)
        return seen, decision

    def _answer(
        self, key: Key, seen: Observed, memory: Memory, now: float
    ) -> tuple[Observed, Decision]:
        try:
            return seen, decide(seen, now)
        except Exception as error:
            seen = self._failed(key, seen, memory, error)
            return seen, decide_despite(seen, now)

    async def _carry_out_in_part(self, writer: ObjectWriter, decision: Decision) -> float | None:
        """Only what cannot wait. The rest, and what status says of it, is for another slot."""
        self._defer(writer.key)
        if decision.decisive_status:
            return None  # its actions come before it
        leave = partial(takes_long, writer.seen, decision)
        done = await execute(writer, decision, self._may_write, leave)
        if done.error is not None:
            raise done.error
        return done.requeue_after

    async def _carry_out(
        self, this: _Pass, decision: Decision, writer: ObjectWriter
    ) -> float | None:
        """Actions first, then status, then Events. Returns as `reconcile`."""
        done = await execute(writer, decision, self._may_write)
        if done.outdated:
            return done.requeue_after
        if await self._write_status(this, decision, writer):
            reasons = (note.reason for note in decision.notes)
            self._telemetry.count(this.seen.status, decision.status, reasons)
            this.memory.pending_events += decision.notes
        if decision.urgent and decision.decisive_status and done.error is None:
            return AT_ONCE  # traffic moves before Events are written, which may take their time
        while this.memory.pending_events:
            await self._recorder.note(this.obj, this.memory.pending_events.pop(0), this.now)
        if done.error is not None:
            raise done.error
        if decision.decisive_status:
            return AT_ONCE
        if done.requeue_after != AT_ONCE:
            self._urgent.discard(this.key)
        if this.seen.failed and not this.memory.failed:
            return AT_ONCE  # status still says so
        return done.requeue_after

    async def _write_status(self, this: _Pass, decision: Decision, writer: ObjectWriter) -> bool:
        """The one status write of a pass, if anything changed. Whether the decision is on record.

        Evidence about what serves changes with each sample: it is kept in memory until something
        else is written too.
        """
        seen, memory = this.seen, this.memory
        applied = memory.applied(seen.status)
        settled = _without_watch(decision.status) == _without_watch(seen.status)
        if settled and (decision.actions or applied == seen.status.applied):
            # New digests are written with something else, or when there is nothing left to do.
            memory.watch = decision.status.watch
            this.on_record = decision.status
            return True
        if seen.deleting or self._cache.get(KIND, *this.key) is None:
            return False
        status = decision.status.model_copy(update={"applied": applied})
        timeout = QUICK if decision.decisive_status else 10.0
        try:
            # Onto the version that was decided on: nobody else's record is ever overwritten.
            written = await self._cluster.patch_status(
                writer.obj, status.to_dict(), timeout=timeout
            )
        except NotFound:
            raise
        except ApiError as error:
            if isinstance(error, Conflict) and not memory.overtaken:
                memory.overtaken = True
            elif decision.fallback is not None:
                # Traffic first: the record is tried again before all other work.
                await carry_out(writer, decision.fallback)
            raise
        memory.overtaken = False
        self._cache.put(KIND, written)
        memory.watch = decision.status.watch
        this.on_record = decision.status
        return True

    async def _say_failed(self, key: Key, error: Exception) -> None:
        """Status, an alert and a counter say that a pass could not be finished, and of what."""
        self._telemetry.failed(key, error, new=False)  # the queue logs it
        obj, memory, now = self._cache.get(KIND, *key), self._memories.get(key), self._now()
        seen = unreadable(key, obj, type(error).__name__) if obj is not None else None
        if obj is None or seen is None or memory is None:
            return
        memory.failed = seen.failed
        status = with_failure(seen, seen.status, now)
        self._telemetry.report(key, seen, status, now)
        if status != seen.status and self._may_write():
            with suppress(ApiError):
                written = await self._cluster.patch_status(obj, status.to_dict(), timeout=QUICK)
                self._cache.put(KIND, written)

    async def _read_again(self, key: Key, uid: str) -> None:
        """The view was out of date: the next pass begins from a fresh read."""
        fresh = await self._cluster.get(API_VERSION, KIND, key.namespace, key.name, timeout=QUICK)
        if fresh is None:
            self._cache.drop(KIND, key.namespace, key.name, uid)
            self._memories.pop(key, None)
        else:
            self._cache.put(KIND, fresh)


def _without_watch(status: Status) -> Status:
    return status.model_copy(update={"watch": None})
