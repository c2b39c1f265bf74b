"""Who is exposed, and by which view of a metrics source: from the cached status alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from merit.api.names import KIND
from merit.config import Config
from merit.kube.cache import Cache, Key
from merit.prometheus.sources import PollResult, Sources
from merit.reconciler.breaker import CircuitBreaker
from merit.reconciler.urgency import is_exposed

JUDGED = ("Rollout", "Holdback", "Withdrawn")  # stages in which traffic is judged, or soon will be


class Exposure:
    """Reads the cache; nothing is kept."""

    def __init__(self, cache: Cache, config: Config, metrics: Sources) -> None:
        self._cache, self._config, self._metrics = cache, config, metrics

    def status(self, key: Key) -> dict[str, Any]:
        """The object's status as it is cached."""
        return (self._cache.get(KIND, *key) or {}).get("status") or {}

    def by_view(self) -> dict[str, frozenset[Key]]:
        """Objects whose traffic is being judged, or soon will be, by view of a metrics source."""
        found: dict[str, set[Key]] = {}
        for key in sorted(self._cache.keys()):
            status = self.status(key)
            stage = (status.get("candidate") or {}).get("stage")
            if (stage in JUDGED or status.get("comparison")) and (view := self._view(key)):
                found.setdefault(view, set()).add(key)
        return {view: frozenset(keys) for view, keys in found.items()}

    def begin(
        self, breaker: CircuitBreaker, poll: PollResult, keys: Iterable[Key], now: float
    ) -> None:
        """Tell the breaker who is judged together by that poll. Live models are, if it read all."""
        polled = {key for key in keys if self._view(key) == poll.source}
        exposed = {key for key in polled if is_exposed(self.status(key))}
        breaker.begin(poll.source, "exposed models", exposed, now)
        if poll.names is None:
            breaker.begin(poll.source, "live models", polled - exposed, now)

    def _view(self, key: Key) -> str:
        """The view that counts this object's requests; empty without one."""
        spec, status = (self._cache.get(KIND, *key) or {}).get("spec") or {}, self.status(key)
        declared = (spec.get("monitoring") or {}).get("source")
        source = self._config.source(key.namespace, declared)
        by_pods = status.get("route") == "replicas"
        return self._metrics.view_of(source[0], by_pods=by_pods) if source else ""
