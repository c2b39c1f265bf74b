"""gather -> decide -> execute -> write status once. What a key needs is always derived anew."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace

from merit.api.names import API_VERSION, KIND
from merit.api.status import Status
from merit.cluster.cache import Cache, Key
from merit.cluster.client import Cluster
from merit.cluster.errors import ApiError, Conflict, Forbidden, Invalid, NotFound
from merit.cluster.recorder import Recorder
from merit.config import Config
from merit.policy.decide import decide
from merit.policy.decision import Accept, Decision, EnsureArm, SetTraffic
from merit.policy.observed import Observed
from merit.policy.watch.breaker import turns
from merit.reconciler.breaker import Breaker
from merit.reconciler.contest import Contest
from merit.reconciler.execute import DECISIVE, QUICK, Foreign, Hands, NotReady, execute
from merit.reconciler.gather import Gatherer, Object
from merit.reconciler.measuring import Looks
from merit.reconciler.memory import Memory
from merit.reconciler.witness import Witness

log = logging.getLogger("merit.reconciler")
AT_ONCE = 0.0
SOON = 1.0
WAIT = 1.0  # seconds; whom the others' verdicts concern is woken before
TRY_AGAIN = 55.0  # seconds until what was somebody else's, or was refused, is tried again


class Reconciler:
    """Brings one object after the other to where it should be.

    `now`: Unix seconds. `may_decide`: whether a write of so many seconds ends while this process
    surely leads. `wake`: is told whom to look at now. Everything kept here may be lost at any time.
    """

    def __init__(
        self,
        cluster: Cluster,
        cache: Cache,
        fleet: Looks,
        config: Config,
        recorder: Recorder,
        now: Callable[[], float],
        witness: Witness | None = None,
    ) -> None:
        self._cluster, self._cache, self._recorder, self._now = cluster, cache, recorder, now
        self._config, self._fleet = config, fleet
        self._contest = Contest()
        self._gatherer = Gatherer(cluster, cache, fleet, config, self._contest)
        self._memories: dict[Key, Memory] = {}
        self._urgent: set[Key] = set()
        self._witness = witness or Witness()
        self.breaker = Breaker()
        self._witness.incident = lambda: bool(self.breaker.incident(self._now()))
        self.may_decide: Callable[[float], bool] = lambda _seconds: True
        self.wake: Callable[[Key], None] = lambda _key: None
        self.breaker.wake = lambda key: self.wake(key)

    def urgent(self, key: Key) -> bool:
        """Whether this key belongs in the safety lane."""
        return key in self._urgent

    def concerned(self, key: Key, obj: Object | None) -> set[Key]:
        """Whom else it concerns that this object is new, changed, or gone (None)."""
        return self._contest.seen(key, obj)

    def wants_sample(self, key: Key) -> bool:
        """Whether a new look at Prometheus may change something for this object."""
        obj = self._cache.get(KIND, key.namespace, key.name)
        if obj is None:
            return False
        return bool((obj.get("status") or {}).get("stable"))

    def looked(self, keys: Iterable[Key]) -> None:
        """A look at the fleet tells of these: they are judged together."""
        told, now = frozenset(keys), self._now()
        exposed = frozenset(filter(self._has_part, told))
        self.breaker.begin("exposed models", exposed, now)
        self.breaker.begin("live models", told - exposed, now)

    def _has_part(self, key: Key) -> bool:
        """Whether it has a part of the traffic to be judged by."""
        status = (self._cache.get(KIND, key.namespace, key.name) or {}).get("status") or {}
        arms = (status.get("candidate") or {}, status.get("verifying") or {})
        return any(int(arm.get("weight") or 0) > 0 for arm in arms)

    def exposed(self) -> dict[str, frozenset[Key]]:
        """What has traffic to be judged by, or is on its way to it, by view of a metrics source."""
        found: dict[str, set[Key]] = {}
        for key in sorted(self._cache.keys()):
            obj = self._cache.get(KIND, key.namespace, key.name) or {}
            status = obj.get("status") or {}
            stage = (status.get("candidate") or {}).get("stage")
            if stage in ("Rollout", "Holdback", "Withdrawn") or status.get("verifying"):
                named = ((obj.get("spec") or {}).get("monitoring") or {}).get("source")
                source = self._config.source(key.namespace, named)
                by_pods = status.get("route") == "replicas"
                view = self._fleet.view_of(source[0], by_pods=by_pods) if source else ""
                if view:
                    found.setdefault(view, set()).add(key)
        return {source: frozenset(keys) for source, keys in found.items()}

    async def reconcile(self, key: Key) -> float | None:
        """One pass. Returns seconds until the next is due, None if only an event can matter.

        Raises ApiError for the queue to back off from.
        """
        obj = self._cache.get(KIND, key.namespace, key.name)
        if obj is None:
            self._urgent.discard(key)
            self._memories.pop(key, None)
            self.breaker.forget(key)
            self._witness.gone(key)
            return None
        uid = obj["metadata"]["uid"]
        memory, now = self._memories.get(key), self._now()
        if memory is None or memory.uid != uid:
            memory = self._memories[key] = Memory(uid)
        if memory.conflict and now - memory.conflict[2] > TRY_AGAIN:
            memory.conflict = None
        if memory.refused and now - memory.refused[2] > TRY_AGAIN:
            memory.refused = None
        if memory.training and now - memory.training[2] > TRY_AGAIN:
            memory.training = None
        seen = await self._gatherer.observe(key, obj, memory, now)
        seen = replace(seen, undelivered=self._witness.undelivered(key))
        decision = decide(seen, now)
        if decision.urgent:
            self._urgent.add(key)
        turned = decision.scored and turns(seen.status, now)
        match self.breaker.vote(key, bad=turned, now=now):
            case "wait" if decision.scored:
                return WAIT  # for the others of this look: nothing acts before all are counted
            case "hold" if decision.scored:
                seen = replace(seen, incident=self.breaker.incident(now))
                decision = decide(seen, now)
        if not self.may_decide(QUICK):
            return SOON  # the Lease may run out before a write ends: another replica decides
        stands = seen.status
        try:
            again = await self._carry_out(key, obj, seen, decision, memory, now)
            stands = decision.status
            return again
        except (Conflict, NotFound):
            await self._read_again(key, uid)
            raise
        finally:
            self._witness.saw(key, seen, stands, now)

    async def _carry_out(
        self,
        key: Key,
        obj: Object,
        seen: Observed,
        decision: Decision,
        memory: Memory,
        now: float,
    ) -> float | None:
        hands = Hands(self._cluster, self._cache, key, obj, seen, memory, now)
        again, refused = decision.again, memory.refused
        failed: ApiError | None = None
        if not decision.decisive_status:
            memory.still_denied(a.short for a in decision.actions if isinstance(a, EnsureArm))
        for action in decision.actions:
            if memory.denied and isinstance(action, SetTraffic) and action.raises:
                break  # no share rises on what does not stand; what goes back, and the pin, go on
            try:
                await execute(hands, action)
            except NotReady as waiting:
                log.info("%s: %s", key, waiting)
                again = min(again or SOON, SOON)
                break
            except Foreign as foreign:
                said, memory.conflict = memory.conflict, (seen.generation, str(foreign), now)
                if said is None:
                    return AT_ONCE  # the next pass says so; a status in between would only flap
                again = TRY_AGAIN
                break
            except ApiError as error:
                failed = error  # status says what is refused before it is tried again
                if isinstance(action, EnsureArm) and isinstance(error, (Forbidden, Invalid)):
                    memory.denied[action.short] = " ".join(error.message.split())[:600]
                    continue
                if not isinstance(action, SetTraffic) or isinstance(error, (Conflict, NotFound)):
                    raise
                memory.traffic_refused = " ".join(str(error).split())[:300]
                continue  # the rest goes on
            if isinstance(action, EnsureArm):
                memory.denied.pop(action.short, None)
            if isinstance(action, SetTraffic):
                memory.traffic_refused = ""
            if isinstance(action, (*DECISIVE, Accept)):
                again = AT_ONCE  # no watch tells of these: look at once at what they changed
        if memory.refused is not refused:
            return AT_ONCE  # the next pass says so; a status in between would only flap
        if decision.actions and again is None:
            again = SOON  # no event comes of what is put into the cache at once
        await self._write_status(key, seen, decision, hands)
        self._witness.wrote(seen.status, decision.status, (n.reason for n in decision.notes))
        memory.untold += decision.notes
        if decision.urgent and decision.decisive_status and failed is None:
            return AT_ONCE  # traffic moves first: an Event that takes its time holds up nothing
        while memory.untold:
            await self._recorder.note(obj, memory.untold.pop(0), now)
        if failed is not None:
            raise failed
        if decision.decisive_status:
            return AT_ONCE
        if again != AT_ONCE:
            self._urgent.discard(key)
        return again

    async def _write_status(
        self, key: Key, seen: Observed, decision: Decision, hands: Hands
    ) -> None:
        """The one status write of a pass; none if nothing changed."""
        memory = hands.memory
        applied = memory.applied(seen.status)
        settled = told(decision.status) == told(seen.status)
        if settled and decision.actions:
            applied = seen.status.applied  # it is written along with something else, or at rest
        if settled and applied == seen.status.applied:
            memory.watch = decision.status.watch  # on record with the next write, whatever it is
        if seen.deleting or (settled and applied == seen.status.applied):
            return
        status = decision.status.model_copy(update={"applied": applied})
        newest = self._cache.get(KIND, key.namespace, key.name)
        if newest is None:
            return
        timeout = QUICK if decision.decisive_status else 10.0
        try:
            written = await self._cluster.patch_status(newest, status.to_dict(), timeout=timeout)
        except (Conflict, NotFound):
            raise
        except ApiError:
            if decision.fallback is not None:
                # Users first: the record is retried ahead of all other work.
                await execute(hands, decision.fallback)
            raise
        self._cache.put(KIND, written)
        memory.watch = decision.status.watch

    async def _read_again(self, key: Key, uid: str) -> None:
        """What was seen is not the newest: the next pass begins from a fresh read."""
        fresh = await self._cluster.get(API_VERSION, KIND, key.namespace, key.name)
        if fresh is None:
            self._cache.drop(KIND, key.namespace, key.name, uid)
            self._memories.pop(key, None)
        else:
            self._cache.put(KIND, fresh)


def told(status: Status) -> Status:
    """What is worth a write: the watch's score alone is not."""
    return status.model_copy(update={"watch": None})
