"""What a process does its work with: the roles that `wiring` fills and `app` runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from merit.alerts.outbox import Outbox
from merit.cluster.cache import Cache, Key
from merit.cluster.client import Cluster
from merit.cluster.recorder import Recorder
from merit.config import Config
from merit.figures import Calls
from merit.metrics.sources import Look
from merit.reconciler.witness import Witness


class Reconciles(Protocol):
    """What of the reconciler the process needs."""

    may_decide: Callable[[float], bool]
    wake: Callable[[Key], None]

    async def reconcile(self, key: Key) -> float | None: ...
    def urgent(self, key: Key) -> bool: ...
    def wants_sample(self, key: Key) -> bool: ...
    def concerned(self, key: Key, obj: dict[str, Any] | None) -> set[Key]: ...
    def looked(self, keys: Iterable[Key]) -> None: ...


class Looks(Protocol):
    """What of the metrics fleet the process needs."""

    async def run(self, told: Callable[[Look], None]) -> None: ...


@dataclass(frozen=True, slots=True)
class Works:
    """`outbox`: None where the configuration has no Alertmanager."""

    reconciler: Reconciles
    fleet: Looks
    witness: Witness
    outbox: Outbox | None = None


Build = Callable[[Cluster, Cache, Recorder, Config, Calls], Works]
