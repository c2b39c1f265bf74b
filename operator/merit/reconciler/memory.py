"""What this process remembers of one object between passes; losing it costs a few reads."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from merit.api.evidence_state import WatchState
from merit.api.hashing import Identity, content_hash, identify
from merit.api.names import LABEL_NAME, accepted_name, ledger_name
from merit.api.spec import Spec
from merit.api.status import Status
from merit.api.validation import Invalid, recorded_spec
from merit.kube.cache import Key
from merit.kube.client import Cluster
from merit.policy.state.decision import Note
from merit.policy.state.observed import Accepted, Ledger
from merit.reconciler.pod_facts import owned_by
from merit.reconciler.record_index import RecordIndex

log = logging.getLogger(__name__)

Object = dict[str, Any]

CORRECTIONS = 3  # of one child within CORRECTION_WINDOW: another writer insists on its own version
CORRECTION_WINDOW = 600.0  # seconds
REPLICA_WINDOW = 1800.0  # seconds
TRY_AGAIN = 55.0  # seconds until what was refused, or belonged to somebody else, is tried again


class ReplicaLog:
    """How many pods each revision had lately, as a mean: an autoscaler would make cost fluctuate.

    Losing it shortens the mean and does no other harm.
    """

    def __init__(self) -> None:
        self._counts: dict[str, list[tuple[float, int]]] = {}

    def note(self, counts: Mapping[str, int], now: float) -> None:
        """From Unix time `now` on, each revision has so many pods, or wants them."""
        self._counts = {short: self._counts.get(short, []) for short in counts}
        for short, count in counts.items():
            log = self._counts[short]
            if not log or log[-1][1] != count:
                log.append((now, count))
            while len(log) > 1 and log[1][0] <= now - REPLICA_WINDOW:
                log.pop(0)

    def means(self, now: float) -> dict[str, float]:
        """Over the last half hour, or since the first count."""
        return {short: _mean(log, now) for short, log in self._counts.items() if log}


def _mean(log: list[tuple[float, int]], now: float) -> float:
    total = covered = 0.0
    ends = [at for at, _ in log[1:]] + [now]
    for (at, count), end in zip(log, ends, strict=True):
        lasted = max(0.0, end - max(at, now - REPLICA_WINDOW))
        total += count * lasted
        covered += lasted
    return total / covered if covered > 0 else float(log[-1][1])


@dataclass(slots=True)
class Memory:
    """Of the object with this `uid`. Times are Unix seconds.

    `refused`: generation, why its children cannot be made, time. `denied`: by revision, why the API
    server refused its objects. `conflict`: generation, sentence, time. `watch`: evidence about what
    serves, newer than in status. `digests`: of what was applied and is not in status yet, by
    `kind/name`; None for a child that was removed. `corrections`: when each child was corrected.
    `foreign`: children of others in our place: sentence, time.
    `announced`: since when the gateway knows each revision. `pinned`: revision, policy and time of
    the rejection whose pin was written and ought to stand; `pin_losses`: when it had to be written
    again. `traffic_refused`: why weights could not be set. `refused_writes`: why the API server
    refuses any other action, by its type. `training`: why no training could be
    started: reason, sentence, time.
    `failed`: the name of the exception that ended the last pass; empty if none did.
    `pending_events`: Events of what was decided, in their order. `overtaken`: the last status met a
    newer version of the object.
    """

    uid: str = ""
    loaded: bool = False
    ledger: Object | None = None
    ledger_hash: str = ""
    refused: tuple[int, Invalid, float] | None = None
    denied: dict[str, str] = field(default_factory=dict)
    conflict: tuple[int, str, float] | None = None
    digests: dict[str, str | None] = field(default_factory=dict)
    corrections: dict[str, list[float]] = field(default_factory=dict)
    foreign: dict[str, tuple[str, float]] = field(default_factory=dict)
    watch: WatchState | None = None
    replicas: ReplicaLog = field(default_factory=ReplicaLog)
    record_index: RecordIndex = field(default_factory=RecordIndex)
    pinned: tuple[str, str, str] | None = None
    pin_losses: list[float] = field(default_factory=list)
    traffic_refused: str = ""
    refused_writes: dict[str, str] = field(default_factory=dict)
    announced: dict[str, float] = field(default_factory=dict)
    training: tuple[str, str, float] | None = None
    failed: str = ""
    pending_events: list[Note] = field(default_factory=list)
    overtaken: bool = False
    _records: dict[str, Accepted] = field(default_factory=dict)  # by name of ControllerRevision

    async def load(self, cluster: Cluster, key: Key, uid: str) -> None:
        """Read the accepted specs, the records of the gates and the ledger, once."""
        if self.loaded:
            return
        found = await cluster.list(
            "apps/v1",
            "ControllerRevision",
            namespace=key.namespace,
            labels=f"{LABEL_NAME}={key.name}",
        )
        self._records = {}
        for record in found:
            if owned_by(record, uid):
                self.add_record(key.name, record["metadata"]["name"], record.get("data") or {})
        await self.record_index.load(cluster, key, uid, found)
        found_map = await cluster.get("v1", "ConfigMap", key.namespace, ledger_name(key.name))
        # Without the label it is somebody else's, and admission does not guard who writes it.
        self.ledger = found_map if found_map is not None and is_ledger(found_map, key) else None
        if self.ledger is not None:
            self.ledger_hash = content_hash(self.ledger.get("data") or {})
        self.loaded = True

    def expire(self, now: float) -> None:
        """What was refused or in conflict is tried again after a while."""
        if self.conflict and now - self.conflict[2] > TRY_AGAIN:
            self.conflict = None
        self.foreign = {c: f for c, f in self.foreign.items() if now - f[1] <= TRY_AGAIN}
        if self.refused and now - self.refused[2] > TRY_AGAIN:
            self.refused = None
        if self.training and now - self.training[2] > TRY_AGAIN:
            self.training = None

    def keep_denied(self, wanted: Iterable[str]) -> None:
        """Forget why any other revision than these was refused."""
        kept = frozenset(wanted)
        self.denied = {short: why for short, why in self.denied.items() if short in kept}

    def drop_record(self, record: str) -> None:
        """The ControllerRevision of that name is gone."""
        self._records.pop(record, None)

    def note_pin(self, pin: Mapping[str, str], now: float) -> None:
        """A pin was written: for the first time, or because it was lost."""
        key = (pin["fromRevision"], pin["fromPolicy"], pin["at"])
        if self.pinned == key:
            self.pin_losses = [*self.pin_losses, now][-8:]
        else:
            self.pinned, self.pin_losses = key, []

    def forget_other_pin(self, declared: Identity | None) -> None:
        """Forget a pin about anything else than what is declared: that nobody misses."""
        if self.pinned is None or declared is None:
            return
        if self.pinned[:2] != (declared.revision, declared.stage_policy("Rollout")):
            self.pinned = None

    def add_record(self, name: str, record: str, data: Mapping[str, Any]) -> None:
        """Take the accepted spec from a ControllerRevision's data.

        One that is not ours is skipped, and so is one that cannot be read: it counts as lost.
        Records are immutable, so each is parsed once.
        """
        try:
            identity, spec = identify(data["spec"]), recorded_spec(data["spec"])
            deployment, service = dict(data["deployment"]), dict(data["service"])
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            log.warning("the record %s cannot be read: %s", record, type(error).__name__)
            return
        if record == accepted_name(name, identity.key):
            self._records[record] = Accepted(record, identity, spec, deployment, service)

    def accepted(
        self, spec: Spec | Invalid, identity: Identity | None, route: str
    ) -> dict[str, Accepted]:
        """By `<rev8>-<pol8>`; what is part of no hash (steps, route) is as declared now.

        `route`: the kind that serves, if any does; a declared one of another kind is ignored.
        """
        found = {record.identity.key: record for record in self._records.values()}
        if not isinstance(spec, Spec) or identity is None or identity.key not in found:
            return found
        if route in ("", spec.rollout.route.kind):
            found[identity.key] = replace(found[identity.key], spec=spec)
        return found

    def applied(self, status: Status) -> dict[str, str]:
        """The digest of every child as it was applied last, by `kind/name`."""
        digests = {**status.applied, **self.digests}
        return {child: digest for child, digest in sorted(digests.items()) if digest is not None}

    def note_correction(self, child: str, now: float) -> None:
        """This child was corrected once more."""
        recent = [at for at in self.corrections.get(child, ()) if now - at < CORRECTION_WINDOW]
        self.corrections[child] = [*recent, now]

    def is_fought_over(self, child: str, now: float) -> bool:
        """Whether it was corrected too often, the last time just now: once a minute will do."""
        recent = [at for at in self.corrections.get(child, ()) if now - at < CORRECTION_WINDOW]
        return len(recent) > CORRECTIONS and now - recent[-1] < TRY_AGAIN

    def fought_over(self, now: float) -> str:
        """Which child others edit again and again, as a sentence; empty if none."""
        for child in sorted(self.corrections):
            if self.is_fought_over(child, now):
                kind, _, name = child.partition("/")
                return f"{kind} {name} is edited again and again: do not edit it, Merit owns it"
        return ""

    def with_newest_watch(self, status: Status) -> Status:
        """The status with the newest evidence about what serves, which may not be written yet."""
        mine, recorded = self.watch, status.watch
        if mine is None:
            return status
        if recorded and (recorded.consumed_until or "") > (mine.consumed_until or ""):
            return status
        return status.model_copy(update={"watch": mine})

    def read_ledger(self) -> Ledger | None:
        """The ledger, if there is one that can be read."""
        if self.ledger is None:
            return None
        data = self.ledger.get("data") or {}
        try:
            parts = {name: json.loads(text) for name, text in data.items()}
            return Ledger(status=Status.model_validate(parts))
        except (ValueError, AttributeError, RecursionError) as error:
            log.warning("the ledger cannot be read: %s", type(error).__name__)
            return None


def read_status(raw: Mapping[str, Any]) -> Status:
    """The status, or an empty one if it is malformed: the ledger restores what matters."""
    try:
        return Status.model_validate(raw or {})
    except ValidationError:
        return Status()


def unread_parts(raw: Mapping[str, Any], status: Status) -> tuple[str, ...]:
    """The parts that stand there, and are lost on reading: evidence of another shape."""
    beside = status.comparison is not None and status.comparison.analysis is None
    parts = {
        "analysis": bool(raw.get("analysis")) and status.analysis is None,
        "watch": bool(raw.get("watch")) and status.watch is None,
        "comparison": beside and bool((raw.get("comparison") or {}).get("analysis")),
    }
    return tuple(part for part, lost in parts.items() if lost)


def is_ledger(config_map: Mapping[str, Any], key: Key) -> bool:
    """Whether its label says that it is this object's ledger: admission guards who may set it."""
    labels = config_map["metadata"].get("labels") or {}
    return bool(labels.get(LABEL_NAME) == key.name)
