"""The only place where kopf is told anything: which kinds to watch, and whom to tell of an event.

kopf watches and nothing else: handlers of events alone leave no finalizer, no annotation and no
status on anybody's object, and cause no write.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import kopf

from merit.cluster.access import in_cluster

log = logging.getLogger(__name__)

Sink = Callable[[str, dict[str, Any], bool], None]
"""Is told the kind, the whole object, and whether it has gone."""

SELECTOR = "merit.dev/name"
"""Children carry this label; nothing else of the cluster reaches this process."""

LINGER = 0.5
"""Seconds for the streams to say goodbye over TLS: aiohttp awaits that of idle connections only."""


@dataclasses.dataclass(frozen=True, slots=True)
class Watched:
    """A kind to watch. `labels`: the selector, evaluated by the API server."""

    group: str
    version: str
    plural: str
    kind: str
    labels: str = SELECTOR
    listed: bool = False
    """Not watched but listed, whole, at every sweep: our own writes tell what matters meanwhile."""

    @property
    def api_version(self) -> str:
        """As objects carry it."""
        return f"{self.group}/{self.version}" if self.group else self.version


OWN = Watched("merit.dev", "v1alpha1", "modeldeployments", "ModelDeployment", labels="")
CHILDREN = (
    Watched("apps", "v1", "deployments", "Deployment"),
    Watched("", "v1", "pods", "Pod"),
    Watched("batch", "v1", "jobs", "Job"),
    Watched("", "v1", "services", "Service"),
    Watched("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice"),
)
LISTED = (
    # An autoscaler's status changes every 15 s: to watch a fleet of them would cost more than the
    # rest together.
    Watched(
        "autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", listed=True
    ),
    Watched("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", listed=True),
)
ROUTES = Watched("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute")


def watched(*, gateway_api: bool) -> tuple[Watched, ...]:
    """All kinds to know. Children come first, so that a resource is never seen without them."""
    return (*LISTED, *CHILDREN, *([ROUTES] if gateway_api else []), OWN)


class NoDiffBase(kopf.DiffBaseStorage):
    """Nothing is kept on objects. This halves the CPU per event."""

    def build(self, *, body: Any, extra_fields: Any = None) -> Any:
        return {}

    def fetch(self, *, body: Any) -> Any:
        return None

    def store(self, *, body: Any, patch: Any, essence: Any) -> None:
        return None


class NoProgress(kopf.ProgressStorage):
    """Nothing is kept on objects: there are no retries to remember."""

    def fetch(self, *, key: Any, body: Any) -> Any:
        return None

    def store(self, *, key: Any, record: Any, body: Any, patch: Any) -> None:
        return None

    def purge(self, *, key: Any, body: Any, patch: Any) -> None:
        return None

    def touch(self, *, body: Any, patch: Any, value: Any) -> None:
        return None

    def clear(self, *, essence: Any) -> Any:
        return essence


def settings(kinds: Iterable[Watched], *, trust_env: bool = False) -> kopf.OperatorSettings:
    """How kopf watches. Seconds."""
    chosen = kopf.OperatorSettings()
    chosen.watching.server_timeout = 290
    chosen.watching.client_timeout = 330
    chosen.watching.connect_timeout = 10
    chosen.watching.inactivity_timeout = (
        70  # bookmarks come every minute; a mute stream is dialled anew
    )
    chosen.watching.reconnect_backoff = 1
    chosen.watching.chunk_size = 500
    chosen.queueing.idle_timeout = 0.5
    chosen.networking.request_timeout = 30
    chosen.networking.connect_timeout = 5
    chosen.networking.trust_env = trust_env
    chosen.posting.enabled = False
    chosen.scanning.disabled = True
    chosen.persistence.diffbase_storage = NoDiffBase()
    chosen.persistence.progress_storage = NoProgress()
    for kind in kinds:
        if kind.labels:
            chosen.watching.label_selectors[kind.group, kind.version, kind.plural] = kind.labels
    return chosen


def register(registry: kopf.OperatorRegistry, kinds: Iterable[Watched], sink: Sink) -> None:
    """Have `sink` told of every event, in kopf's thread."""

    async def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        if not in_cluster():
            return kopf.login_with_kubeconfig(**kwargs)
        info = kopf.login_with_service_account(**kwargs)
        if info is None:
            return None
        # The kubelet renews the projected token; logging in again reads it anew in time.
        return dataclasses.replace(info, expiration=datetime.now(UTC) + timedelta(minutes=40))

    kopf.on.login(id="login", registry=registry)(login)
    for watched_kind in kinds:
        kopf.on.event(
            watched_kind.group,
            watched_kind.version,
            watched_kind.plural,
            id=f"watch-{watched_kind.plural}",
            registry=registry,
        )(_handler(watched_kind.kind, sink))


def _handler(kind: str, sink: Sink) -> Callable[..., Any]:
    async def tell(event: Mapping[str, Any], **_: Any) -> None:
        sink(kind, event["object"], event["type"] == "DELETED")

    return tell


class Watches:
    """kopf, in a thread and loop of its own: its signal handlers and its end touch nothing of ours.

    `sink` is called in the loop of whoever calls `start`; `ended` is set there when kopf ends. By
    itself it does so only when watching has become impossible.
    """

    def __init__(
        self, kinds: Iterable[Watched], sink: Sink, *, namespaces: Collection[str] = ()
    ) -> None:
        self._kinds = tuple(kind for kind in kinds if not kind.listed)
        self._sink = sink
        self._namespaces = tuple(namespaces)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.ended = asyncio.Event()

    def start(self) -> None:
        """Begin to watch."""
        loop = asyncio.get_running_loop()

        def relay(kind: str, obj: dict[str, Any], gone: bool) -> None:
            if not self._stop.is_set():
                loop.call_soon_threadsafe(self._sink, kind, obj, gone)

        registry = kopf.OperatorRegistry()
        register(registry, self._kinds, relay)

        async def watch() -> None:
            await kopf.operator(
                registry=registry,
                settings=settings(self._kinds),
                standalone=True,
                clusterwide=not self._namespaces,
                namespaces=self._namespaces,
                stop_flag=self._stop,
            )
            await asyncio.sleep(LINGER)

        def run() -> None:
            try:
                asyncio.run(watch())
            except BaseException:
                log.exception("watching has ended")
            finally:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(self.ended.set)

        self._thread = threading.Thread(target=run, name="kopf", daemon=True)
        self._thread.start()

    async def stop(self, timeout: float) -> None:
        """End it, waiting at most `timeout` seconds."""
        self._stop.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, timeout)
