"""Which records of an object exist: listed once, then kept up to date with our own writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from merit.api.names import LABEL_CANDIDATE, LABEL_NAME, LABEL_STAGE, accepted_name
from merit.kube.cache import Key
from merit.kube.client import Cluster
from merit.policy.state.observed import RecordEntry
from merit.reconciler.pod_facts import owned_by

Object = Mapping[str, Any]
APIS = {"ControllerRevision": "apps/v1", "ConfigMap": "v1"}


@dataclass(slots=True)
class RecordIndex:
    """Of one object: its accepted specs and the records of its gates, each with its uid."""

    _entries: dict[tuple[str, str], tuple[RecordEntry, str]] = field(default_factory=dict)

    async def load(self, cluster: Cluster, key: Key, uid: str, revisions: Sequence[Object]) -> None:
        """List the records. `revisions`: the ControllerRevisions, which the caller has read."""
        maps = await cluster.list(
            "v1",
            "ConfigMap",
            namespace=key.namespace,
            labels=f"{LABEL_NAME}={key.name},{LABEL_STAGE}",
            metadata_only=True,
        )
        self._entries = {}
        for obj in (*revisions, *maps):
            if owned_by(obj, uid):
                self.add(key.name, obj)

    def add(self, name: str, obj: Object) -> None:
        """Add an object that exists now, if it is a record. `name`: of the ModelDeployment."""
        metadata, kind = obj["metadata"], obj["kind"]
        record, labels = metadata["name"], metadata.get("labels") or {}
        created = str(metadata.get("creationTimestamp", ""))
        if kind == "ControllerRevision":
            key = record.removeprefix(accepted_name(name, ""))
            entry = RecordEntry(kind, record, key.partition("-")[0], key, created)
        elif kind == "ConfigMap" and LABEL_STAGE in labels:
            entry = RecordEntry(kind, record, str(labels.get(LABEL_CANDIDATE, "")), "", created)
        else:
            return
        self._entries[kind, record] = (entry, str(metadata.get("uid", "")))

    def uid(self, kind: str, name: str) -> str:
        """The uid of that record; empty if it is not known."""
        return self._entries[kind, name][1] if (kind, name) in self._entries else ""

    def drop(self, kind: str, name: str) -> None:
        """That record is gone."""
        self._entries.pop((kind, name), None)

    def all(self) -> tuple[RecordEntry, ...]:
        """All records, in the order of their names."""
        return tuple(entry for _, (entry, _) in sorted(self._entries.items()))
