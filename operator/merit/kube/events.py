"""Kubernetes Events: one per transition. An Event that cannot be written fails nothing else."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from merit.kube.client import Cluster, Object
from merit.kube.errors import ApiError, Conflict
from merit.policy.state.decision import Note

log = logging.getLogger(__name__)

BURST = 25
REFILL = 300.0
"""Seconds per further Event once an object has used up its burst: as client-go does."""
SAME = 300
"""Seconds within which the same words are the same Event, also after a restart."""
LONGEST = 1024
"""Characters of a note that the API server accepts."""


@dataclass(slots=True)
class _Allowance:
    left: float
    at: float


class EventRecorder:
    """Writes Events. `instance` is the name of this replica."""

    def __init__(self, cluster: Cluster, *, instance: str) -> None:
        self._cluster = cluster
        self._instance = instance
        self._allowances: dict[str, _Allowance] = {}

    async def note(self, obj: Mapping[str, Any], note: Note, at: float) -> None:
        """Write one Event about `obj`. `at`: Unix seconds. What cannot be written is logged."""
        if not self._allowed(obj["metadata"]["uid"], at):
            return
        try:
            await self._cluster.create(self._event(obj, note, at), timeout=3.0)
        except Conflict:
            return  # it exists already
        except ApiError as error:
            log.warning("an Event was not written: %s", error)

    def _event(self, obj: Mapping[str, Any], note: Note, at: float) -> Object:
        metadata = obj["metadata"]
        words = f"{metadata['uid']}/{note.reason}/{note.message}/{int(at) // SAME}"
        digest = hashlib.sha256(words.encode()).hexdigest()[:16]
        return {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {
                "name": f"{metadata['name']}.{digest}",
                "namespace": metadata["namespace"],
            },
            "eventTime": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": "merit.dev/operator",
            "reportingInstance": self._instance,
            "action": "Decide",
            "reason": note.reason,
            "note": note.message[:LONGEST],
            "type": "Warning" if note.warning else "Normal",
            "regarding": {
                "apiVersion": obj.get("apiVersion", ""),
                "kind": obj.get("kind", ""),
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
        }

    def _allowed(self, uid: str, at: float) -> bool:
        allowance = self._allowances.setdefault(uid, _Allowance(left=BURST, at=at))
        gained = max(0.0, at - allowance.at) / REFILL
        allowance.left, allowance.at = min(BURST, allowance.left + gained), at
        if allowance.left < 1:
            return False
        allowance.left -= 1
        if len(self._allowances) > 10_000:  # deleted objects leave theirs behind
            oldest = min(self._allowances, key=lambda known: self._allowances[known].at)
            del self._allowances[oldest]
        return True
