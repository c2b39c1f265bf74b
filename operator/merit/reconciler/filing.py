"""Which records of an object exist: read once, then kept along with what is written and removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from merit.api.names import LABEL_CANDIDATE, LABEL_NAME, LABEL_STAGE, accepted_name
from merit.cluster.cache import Key
from merit.cluster.client import Cluster
from merit.policy.observed import Filed
from merit.reconciler.facts import owned_by

Object = Mapping[str, Any]
APIS = {"ControllerRevision": "apps/v1", "ConfigMap": "v1"}


@dataclass(slots=True)
class Filing:
    """Of one object: its accepted specs and the records of its gates, each with its uid."""

    _filed: dict[tuple[str, str], tuple[Filed, str]] = field(default_factory=dict)

    async def load(self, cluster: Cluster, key: Key, uid: str, revisions: Sequence[Object]) -> None:
        """`revisions`: the ControllerRevisions, which the caller has read in full."""
        maps = await cluster.list(
            "v1",
            "ConfigMap",
            namespace=key.namespace,
            labels=f"{LABEL_NAME}={key.name},{LABEL_STAGE}",
            metadata_only=True,
        )
        self._filed = {}
        for obj in (*revisions, *maps):
            if owned_by(obj, uid):
                self.add(key.name, obj)

    def add(self, name: str, obj: Object) -> None:
        """One that exists now; anything else than a record is left out."""
        metadata, kind = obj["metadata"], obj["kind"]
        called, labels = metadata["name"], metadata.get("labels") or {}
        suffix = called.removeprefix(accepted_name(name, ""))
        if kind == "ControllerRevision":
            found = Filed(kind, called, suffix.partition("-")[0], suffix)
        elif kind == "ConfigMap" and LABEL_STAGE in labels:
            found = Filed(kind, called, str(labels.get(LABEL_CANDIDATE, "")))
        else:
            return
        created = str(metadata.get("creationTimestamp", ""))
        filed = Filed(found.kind, found.name, found.short, found.key, created)
        self._filed[kind, called] = (filed, str(metadata.get("uid", "")))

    def uid(self, kind: str, name: str) -> str:
        """Of that record; empty if it is not known."""
        return self._filed[kind, name][1] if (kind, name) in self._filed else ""

    def drop(self, kind: str, name: str) -> None:
        """It is gone."""
        self._filed.pop((kind, name), None)

    def all(self) -> tuple[Filed, ...]:
        """In the order of their names."""
        return tuple(filed for _, (filed, _) in sorted(self._filed.items()))
