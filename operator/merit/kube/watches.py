"""The only module that uses kopf: which kinds are watched, and where their events go.

kopf watches and does nothing else: handlers for events alone leave no finalizer, no annotation and
no status on any object, and cause no write. ADR 1 says why.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import logging
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import kopf

from merit.api.names import LABEL_NAME
from merit.kube.access import in_cluster

log = logging.getLogger(__name__)

Sink = Callable[[str, dict[str, Any], bool], None]
"""Is called with the kind, the whole object, and whether it was deleted."""

LOOK = 1.0
"""Seconds between two looks at kopf's watchers."""
LINGER = 0.5
"""Seconds for open streams to end over TLS: aiohttp waits for that of idle connections only."""


@dataclasses.dataclass(frozen=True, slots=True)
class Watched:
    """A kind to watch. `labels`: the selector, evaluated by the API server."""

    group: str
    version: str
    plural: str
    kind: str
    labels: str = LABEL_NAME  # children carry it; no other object reaches this process
    listed: bool = False
    """Not watched but listed in full now and then; between lists, replies to writes suffice."""

    @property
    def api_version(self) -> str:
        """As objects name it: group/version."""
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
    # An autoscaler's status changes every 15 s: to watch those of a fleet would cost more than all
    # other watches together.
    Watched(
        "autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", listed=True
    ),
    Watched("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", listed=True),
)
ROUTES = Watched("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute")


def watched(*, gateway_api: bool) -> tuple[Watched, ...]:
    """All kinds of the cache. Children come first, so that no object is seen without its own."""
    return (*LISTED, *CHILDREN, *([ROUTES] if gateway_api else []), OWN)


class Backoffs:
    """Seconds between attempts, without end: kopf's own, eight of them, end a watch for good."""

    SECONDS = (1.0, 1.0, 2.0, 3.0, 5.0, 8.0)

    def __iter__(self) -> Iterator[float]:
        return itertools.chain(self.SECONDS, itertools.repeat(self.SECONDS[-1]))


class NoDiffBase(kopf.DiffBaseStorage):
    """Keeps nothing on objects. This halves the CPU time per event."""

    def build(self, *, body: Any, extra_fields: Any = None) -> Any:
        return {}

    def fetch(self, *, body: Any) -> Any:
        return None

    def store(self, *, body: Any, patch: Any, essence: Any) -> None:
        return None


class NoProgress(kopf.ProgressStorage):
    """Keeps nothing on objects: there are no retries to remember."""

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
    chosen.watching.inactivity_timeout = 70  # bookmarks come every minute: without, connect again
    chosen.watching.reconnect_backoff = 1
    chosen.watching.chunk_size = 500
    chosen.queueing.idle_timeout = 0.5
    chosen.networking.request_timeout = 30
    chosen.networking.connect_timeout = 5
    chosen.networking.error_backoffs = Backoffs()
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
    """Call `sink` with every event, in kopf's thread."""

    async def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        if not in_cluster():
            return kopf.login_with_kubeconfig(**kwargs)
        info = kopf.login_with_service_account(**kwargs)
        if info is None:
            return None
        # The kubelet renews the projected token; logging in again reads the new one in time.
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
    async def handle(event: Mapping[str, Any], **_: Any) -> None:
        sink(kind, event["object"], event["type"] == "DELETED")

    return handle


class Watches:
    """kopf in a thread and loop of its own: its signal handlers and its end affect nothing else.

    `sink` is called in the loop that called `start`; `ended` is set there when kopf ends, or one of
    its watches: refused requests are repeated for ever, but an ERROR event ends a watch, which kopf
    logs before it goes on without it.
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
        """Start watching."""
        loop = asyncio.get_running_loop()

        def relay(kind: str, obj: dict[str, Any], gone: bool) -> None:
            if not self._stop.is_set():
                loop.call_soon_threadsafe(self._sink, kind, obj, gone)

        registry = kopf.OperatorRegistry()
        register(registry, self._kinds, relay)

        async def watch() -> None:
            guard = asyncio.create_task(self._stop_after_one())
            await kopf.operator(
                registry=registry,
                settings=settings(self._kinds),
                standalone=True,
                clusterwide=not self._namespaces,
                namespaces=self._namespaces,
                stop_flag=self._stop,
            )
            guard.cancel()
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

    async def _stop_after_one(self) -> None:
        """Stop kopf once a watch has ended. Only the names of its tasks tell what they do."""
        watchers: set[asyncio.Task[Any]] = set()
        while not any(task.done() for task in watchers):
            tasks = asyncio.all_tasks()
            watchers |= {task for task in tasks if task.get_name().startswith("watcher for ")}
            await asyncio.sleep(LOOK)
        self._stop.set()

    async def stop(self, timeout: float) -> None:
        """Stop watching; wait at most `timeout` seconds for that."""
        self._stop.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, timeout)
