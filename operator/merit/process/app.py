"""Runs the operator: its start, its loops, the Lease, and its end.

All replicas watch, so that a standby can take over at once; only the leader's queue works.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from merit.api.names import KIND
from merit.config import Config
from merit.kube.cache import Cache, Key
from merit.kube.client import Cluster
from merit.kube.errors import ApiError
from merit.kube.events import EventRecorder
from merit.kube.leadership import Leadership
from merit.kube.relist import Relist
from merit.kube.watch_health import WatchHealth
from merit.kube.watches import Watched, Watches, watched
from merit.kube.workqueue import LANES, WorkQueue
from merit.process.assembly import Build, Callbacks
from merit.process.exporter import Calls, OperatorMetrics, QueueStats
from merit.process.health import Health, LivenessProbe, application
from merit.prometheus.sources import PollResult

log = logging.getLogger(__name__)

CRD = "modeldeployments.merit.dev"
SPREAD = 2.0
"""Seconds over which a starting operator spreads the first pass over all objects."""
DRAIN = 1.0
"""Seconds that running work gets after SIGTERM; with more, the hand-over takes longer than 3 s."""


class CannotRun(Exception):
    """The process cannot do its work; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Options:
    """`namespace`: of the Lease. `identity`: of this replica. `host`, `port`: where to listen."""

    namespace: str
    identity: str
    host: str = "0.0.0.0"
    port: int = 8080


class Operator:
    """One replica of the operator."""

    def __init__(
        self, config: Config, options: Options, *, cluster: Cluster, calls: Calls, build: Build
    ) -> None:
        self._config = config
        self._options = options
        self._cluster = cluster
        self._calls = calls
        self._kinds = watched(gateway_api=config.gateway_api)
        namespaces = config.watch.namespaces
        self._cache = Cache()
        recorder = EventRecorder(cluster, instance=options.identity)
        self._liveness = LivenessProbe()
        self._leadership = Leadership(
            Cluster.connect,
            namespace=options.namespace,
            name="merit",
            identity=options.identity,
            lag=self._liveness.lag,
        )
        callbacks = Callbacks(
            wake=lambda key, *, safety=False: self._queue.add(key, safety=safety),
            may_decide=self._leadership.may_decide,
            defer=lambda key: self._queue.add_long(key),
        )
        components = build(cluster, self._cache, recorder, config, calls, callbacks)
        self._reconciler, self._metrics = components.reconciler, components.metrics
        self._telemetry, self._outbox = components.telemetry, components.outbox
        self._queue: WorkQueue = WorkQueue(
            partial(self._reconcile, hurried=True),
            patient=partial(self._reconcile, hurried=False),
            urgent=self._reconciler.urgent,
        )
        self._watch_health = watch_health = WatchHealth(
            self._cache, self._wake, affected=self._reconciler.affected
        )
        self._relist = Relist(
            cluster, self._cache, watch_health, self._kinds, namespaces=namespaces
        )
        self._watches = Watches(self._kinds, watch_health.seen, namespaces=namespaces)
        self._ready = False

    async def run(self, stop: asyncio.Event) -> int:
        """Work until `stop` is set. Returns the exit code."""
        probes = web.AppRunner(application(self._health()), access_log=None)
        await probes.setup()
        await web.TCPSite(probes, self._options.host, self._options.port).start()
        working = asyncio.create_task(self._work())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return _exit_code(working)
        finally:
            stopping.cancel()
            await self._leave(working)
            await probes.cleanup()

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._liveness.beat())  # first: to wait for others is no lag
            if missing := await missing_apis(self._cluster, self._kinds):
                raise CannotRun(f"the API server does not serve {', '.join(missing)}")
            await self._relist.fill()
            self._watches.start()
            self._ready = True
            log.info("watching", extra={"objects": len(self._cache.keys())})
            group.create_task(self._relist.run())
            group.create_task(self._watching())
            group.create_task(self._lead())

    async def _lead(self) -> None:
        await self._leadership.acquired()
        log.info("leading", extra={"identity": self._options.identity})
        async with asyncio.TaskGroup() as group:
            group.create_task(self._queue.run())
            group.create_task(
                self._metrics.run(
                    self._polled,
                    exposed=self._reconciler.exposed,
                    empty=lambda: not self._cache.keys(),
                )
            )
            if self._outbox is not None:
                group.create_task(self._outbox.run())

    async def _watching(self) -> None:
        await self._watches.ended.wait()
        raise CannotRun("watching has ended")

    def _polled(self, poll: PollResult) -> None:
        """A poll of a metrics source has finished: the objects that it covers are reconciled."""
        if poll.reason:
            self._calls.prometheus_errors += 1
            log.warning(
                "no measurements from %s: %s",
                poll.source, poll.message, extra={"reason": poll.reason},
            )  # fmt: skip
        keys = [
            key
            for key in filter(self._reconciler.wants_sample, self._cache.keys())
            if poll.names is None or key in poll.names
        ]
        self._reconciler.polled(poll, keys)
        for key in keys:
            self._queue.add(key)

    async def _leave(self, working: asyncio.Task[None]) -> None:
        """Stop taking keys, wait a second for running work, cancel it, release the Lease."""
        await self._queue.drain(DRAIN)
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError, BaseExceptionGroup, Exception):
            await working
        await self._leadership.release()
        await self._watches.stop(timeout=1.0)

    async def _reconcile(self, key: Key, *, hurried: bool) -> float | None:
        """A pass; not on a part of what a namespace has, but to forget what is gone."""
        if key.namespace in self._relist.closed and self._cache.get(KIND, *key) is not None:
            return None
        return await self._reconciler.reconcile(key, hurried=hurried)

    def _wake(self, key: Key) -> None:
        self._queue.add(key, after=0.0 if self._ready else random.uniform(0.0, SPREAD))

    def _health(self) -> Health:
        metrics = OperatorMetrics(
            calls=self._calls,
            queue=self._queue_stats,
            leading=lambda: self._leadership.leading,
            lag=self._liveness.lag,
            watch_ages=self._watch_health.ages,
            now=time.time,
            telemetry=self._telemetry,
            outbox=self._outbox,
        )
        return Health(
            ready=lambda: self._ready,
            stale=self._relist.sick,
            lag=self._liveness.lag,
            metrics=metrics.text,
        )

    def _queue_stats(self) -> QueueStats:
        queue = self._queue
        return QueueStats(
            depth={lane: queue.depth(lane) for lane in LANES},
            oldest={lane: queue.oldest(lane) for lane in LANES},
            outcomes=dict(queue.counters.outcomes),
            seconds=queue.counters.seconds,
        )


async def missing_apis(cluster: Cluster, kinds: Iterable[Watched]) -> list[str]:
    """The APIs that the API server does not serve, each with what to install."""
    missing: list[str] = []
    for kind in kinds:
        if not await cluster.serves(kind.api_version, kind.kind):
            name = f"{kind.api_version} {kind.kind}"
            remedy = {
                "merit.dev": f" (install the CRD {CRD}: merit crd | kubectl apply -f -)",
                "gateway.networking.k8s.io": " (install Gateway API, or set gatewayAPI: false)",
            }.get(kind.group, "")
            missing.append(name + remedy)
    return missing


def _exit_code(working: asyncio.Task[None]) -> int:
    """0, or 1 if the work has ended by itself, which is an error."""
    if not working.done():
        return 0
    error = working.exception()
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, ApiError | CannotRun):
        log.critical("%s", error)
    else:
        log.critical("work has ended", exc_info=error)
    return 1


async def run(config: Config, options: Options, *, build: Build) -> int:
    """Run one replica until SIGTERM. Returns the exit code."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    calls = Calls()
    try:
        cluster = await Cluster.connect(count=calls.count)
    except ApiError as error:
        log.critical("%s", error)
        return 1
    try:
        operator = Operator(config, options, cluster=cluster, calls=calls, build=build)
        return await operator.run(stop)
    finally:
        await cluster.close()
