"""What this process has read or written of one object; losing it costs a read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from merit.api.hashing import Identity, content_hash, identify
from merit.api.names import LABEL_NAME, accepted_name, ledger_name
from merit.api.spec import Spec
from merit.api.status import Status
from merit.api.validation import Invalid, parse_spec
from merit.cluster.cache import Key
from merit.cluster.client import Cluster
from merit.policy.decision import Note
from merit.policy.observed import Accepted, Ledger
from merit.reconciler.facts import owned_by
from merit.reconciler.filing import Filing
from merit.reconciler.replicas import ReplicaLog

Object = dict[str, Any]


CORRECTIONS = 3  # of one child within FIGHT seconds: somebody else wants it otherwise
FIGHT = 600.0


@dataclass(slots=True)
class Memory:
    """Of one object, which `uid` tells from others of its name.

    `refused`: generation, why its children cannot be made, Unix seconds. `denied`: by revision, why
    what it is made of was not taken. `conflict`: generation, words, Unix seconds. `watch`: the
    score of the watch, newer than the one in status.
    `shapes`: of what was applied and is not in status yet; None for a child that was removed.
    `corrected`: when each child was put right, `announced`: since when a gateway has been told of
    each revision, both in Unix seconds. `replicas`: how many pods each revision had lately.
    `pinned`: content and policy of the pin that was written last; `pin_losses`: when it had to be
    written again. `traffic_refused`: why weights could not be set.
    `training`: why no training could be started: reason, words, Unix seconds. `untold`: Events of
    what was decided, in their order.
    """

    uid: str = ""
    loaded: bool = False
    ledger: Object | None = None
    ledger_hash: str = ""
    refused: tuple[int, Invalid, float] | None = None
    denied: dict[str, str] = field(default_factory=dict)
    conflict: tuple[int, str, float] | None = None
    shapes: dict[str, str | None] = field(default_factory=dict)
    corrected: dict[str, list[float]] = field(default_factory=dict)
    watch: dict[str, Any] | None = None
    replicas: ReplicaLog = field(default_factory=ReplicaLog)
    filing: Filing = field(default_factory=Filing)
    pinned: tuple[str, str] | None = None
    pin_losses: list[float] = field(default_factory=list)
    traffic_refused: str = ""
    announced: dict[str, float] = field(default_factory=dict)
    training: tuple[str, str, float] | None = None
    untold: list[Note] = field(default_factory=list)
    _records: dict[str, Accepted] = field(default_factory=dict)  # by name of ControllerRevision

    async def load(self, cluster: Cluster, key: Key, uid: str) -> None:
        """Read the accepted specs and the ledger, once."""
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
                self.remember(key.name, record["metadata"]["name"], record["data"])
        await self.filing.load(cluster, key, uid, found)
        found_map = await cluster.get("v1", "ConfigMap", key.namespace, ledger_name(key.name))
        # Without the label it is somebody else's, and nobody guards who writes it.
        self.ledger = found_map if found_map is not None and is_ledger(found_map, key) else None
        if self.ledger is not None:
            self.ledger_hash = content_hash(self.ledger.get("data") or {})
        self.loaded = True

    def still_denied(self, asked: Iterable[str]) -> None:
        """What is asked for now; a refusal of anything else is over."""
        wanted = frozenset(asked)
        self.denied = {short: why for short, why in self.denied.items() if short in wanted}

    def forget(self, record: str) -> None:
        """An accepted spec whose ControllerRevision is gone."""
        self._records.pop(record, None)

    def wrote_pin(self, pin: Mapping[str, str], now: float) -> None:
        """A pin was written: for the first time, or because it was lost."""
        key = (pin["fromRevision"], pin["fromPolicy"])
        if self.pinned == key:
            self.pin_losses = [*self.pin_losses, now][-8:]
        else:
            self.pinned, self.pin_losses = key, []

    def remember(self, name: str, record: str, data: Mapping[str, Any]) -> None:
        """An accepted spec, from the data of its ControllerRevision; one that is not ours is left.

        Records are immutable, so each is parsed once.
        """
        identity = identify(data["spec"])
        spec = parse_spec(data["spec"], name=name)
        if isinstance(spec, Invalid) or record != accepted_name(name, identity.key):
            return
        self._records[record] = Accepted(
            name=record,
            identity=identity,
            spec=spec,
            deployment=data["deployment"],
            service=data["service"],
        )

    def accepted(
        self, spec: Spec | Invalid, identity: Identity | None, route: str
    ) -> dict[str, Accepted]:
        """By `<rev8>-<pol8>`; what is in no hash (steps, route) is as declared now.

        `route`: the kind that serves, if any does; a declared one of another kind counts for
        nothing.
        """
        found = {record.identity.key: record for record in self._records.values()}
        if not isinstance(spec, Spec) or identity is None or identity.key not in found:
            return found
        if route in ("", spec.rollout.route.kind):
            found[identity.key] = replace(found[identity.key], spec=spec)
        return found

    def applied(self, status: Status) -> dict[str, str]:
        """The shape of every child as it was applied last, by `kind/name`."""
        every = {**status.applied, **self.shapes}
        return {child: shape for child, shape in sorted(every.items()) if shape is not None}

    def fights(self, child: str, now: float) -> bool:
        """One more correction of this child; True if it is one too many."""
        recent = [at for at in self.corrected.get(child, ()) if now - at < FIGHT]
        self.corrected[child] = [*recent, now]
        return len(recent) >= CORRECTIONS

    def listening(self, status: Status) -> Status:
        """The status with the newer score of the watch: it is written along with other changes."""
        mine, told = self.watch, status.watch
        if mine is None or (told and _consumed(told) > _consumed(mine)):
            return status
        return status.model_copy(update={"watch": mine})

    def remembered(self) -> Ledger | None:
        """The ledger that outlives the object, if it can be read."""
        if self.ledger is None:
            return None
        data = self.ledger.get("data") or {}
        try:
            parts = {name: json.loads(text) for name, text in data.items()}
            return Ledger(status=Status.model_validate(parts))
        except (ValueError, ValidationError):
            return None


def read_status(raw: Mapping[str, Any]) -> Status:
    """The status, or an empty one if it cannot be read: the ledger restores what matters."""
    try:
        return Status.model_validate(raw or {})
    except ValidationError:
        return Status()


def is_ledger(config_map: Mapping[str, Any], key: Key) -> bool:
    """Whether it says that it is this object's ledger: admission guards who may say so."""
    labels = config_map["metadata"].get("labels") or {}
    return bool(labels.get(LABEL_NAME) == key.name)


def _consumed(watch: Mapping[str, Any]) -> str:
    return str(watch.get("consumedUntil", ""))
