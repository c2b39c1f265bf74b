"""Wires the parts together, and owns the beginning and the end of the process.

Both replicas watch, so that a standby is warm; only the leader's queue works.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass

from aiohttp import web

from merit.cluster.cache import Cache, Key
from merit.cluster.client import ApiError, Cluster
from merit.cluster.intake import Intake
from merit.cluster.lease import Lease, LeaseLost, watchdog
from merit.cluster.recorder import Recorder
from merit.cluster.sweep import Sweep
from merit.cluster.watches import Watched, Watches, watched
from merit.cluster.workqueue import WorkQueue
from merit.config import Config
from merit.exposition import exposition
from merit.figures import Calls, Parts, Queue, families
from merit.metrics.sources import Look
from merit.probes import Health, Heart, application
from merit.works import Build

log = logging.getLogger(__name__)

CRD = "modeldeployments.merit.dev"
SPREAD = 2.0
"""Seconds over which a starting operator spreads its first look at everything."""
DRAIN = 1.0
"""Seconds that running work gets after SIGTERM; more would break the hand-over within 3 s."""


class Unfit(Exception):
    """This process cannot do its work; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Options:
    """Where this replica stands: `namespace` of the Lease, its own `identity`, where to listen."""

    namespace: str
    identity: str
    host: str = "0.0.0.0"
    port: int = 8080


class Operator:
    """One replica."""

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
        recorder = Recorder(cluster, instance=options.identity)
        works = build(cluster, self._cache, recorder, config, calls)
        self._reconciler, self._fleet = works.reconciler, works.fleet
        self._witness, self._outbox = works.witness, works.outbox
        self._queue = WorkQueue(self._reconciler.reconcile, urgent=self._reconciler.urgent)
        self._intake = intake = Intake(
            self._cache, self._wake, concerned=self._reconciler.concerned
        )
        self._sweep = Sweep(cluster, self._cache, intake, self._kinds, namespaces=namespaces)
        self._watches = Watches(self._kinds, intake.seen, namespaces=namespaces)
        self._lease = Lease(
            cluster, namespace=options.namespace, name="merit", identity=options.identity
        )
        self._reconciler.may_decide = self._lease.may_decide
        self._reconciler.wake = lambda key: self._queue.add(key, safety=True)
        if self._outbox is not None:
            self._outbox.wake = lambda place: self._queue.add(Key(*place))
        self._heart = Heart()
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
            return _outcome(working)
        finally:
            stopping.cancel()
            await self._leave(working)
            await probes.cleanup()

    async def _work(self) -> None:
        if missing := await absent(self._cluster, self._kinds):
            raise Unfit(f"the API server does not serve {', '.join(missing)}")
        async with asyncio.TaskGroup() as group:
            group.create_task(self._heart.beat())
            await self._sweep.fill()
            self._watches.start()
            self._ready = True
            log.info("watching", extra={"objects": len(self._cache.keys())})
            group.create_task(self._sweep.run())
            group.create_task(self._watching())
            group.create_task(self._lead())

    async def _lead(self) -> None:
        await self._lease.acquire()
        watchdog(self._lease)
        log.info("leading", extra={"identity": self._options.identity})
        async with asyncio.TaskGroup() as group:
            group.create_task(self._queue.run())
            group.create_task(self._fleet.run(self._looked))
            group.create_task(self._keep())
            if self._outbox is not None:
                group.create_task(self._outbox.run())

    async def _keep(self) -> None:
        try:
            await self._lease.keep()
        except LeaseLost as lost:
            # Not even a finally may run: anything more could be a write beside the new leader's.
            log.critical("%s", lost)
            logging.shutdown()
            os._exit(1)

    async def _watching(self) -> None:
        await self._watches.ended.wait()
        raise Unfit("watching has ended")

    def _looked(self, look: Look) -> None:
        """A look at a metrics source is over: whom it told of is looked at anew."""
        if look.reason:
            self._calls.prometheus_errors += 1
            log.warning(
                "no measurements from %s: %s",
                look.source, look.message, extra={"reason": look.reason},
            )  # fmt: skip
        told = [
            key
            for key in filter(self._reconciler.wants_sample, self._cache.keys())
            if look.names is None or key in look.names
        ]
        self._reconciler.looked(told)
        for key in told:
            self._queue.add(key)

    async def _leave(self, working: asyncio.Task[None]) -> None:
        """Take no more keys, wait a second, cancel, give the Lease back."""
        await self._queue.drain(DRAIN)
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError, BaseExceptionGroup, Exception):
            await working
        await self._lease.release()
        await self._watches.stop(timeout=1.0)

    def _wake(self, key: Key) -> None:
        self._queue.add(key, after=0.0 if self._ready else random.uniform(0.0, SPREAD))

    def _health(self) -> Health:
        parts = Parts(
            calls=self._calls,
            queue=self._figures,
            leading=lambda: self._lease.leading,
            lag=self._heart.lag,
            watch_ages=self._intake.ages,
            now=time.time,
            witness=self._witness,
            outbox=self._outbox,
        )
        return Health(
            ready=lambda: self._ready,
            sick=self._sweep.sick,
            lag=self._heart.lag,
            metrics=lambda: exposition(families(parts)),
        )

    def _figures(self) -> Queue:
        queue = self._queue
        lanes = {"safety": True, "routine": False}
        return Queue(
            depth={name: queue.depth(safety=lane) for name, lane in lanes.items()},
            oldest={name: queue.oldest(safety=lane) for name, lane in lanes.items()},
            outcomes=dict(queue.tally.outcomes),
            seconds=queue.tally.seconds,
        )


async def absent(cluster: Cluster, kinds: Iterable[Watched]) -> list[str]:
    """The APIs that the API server does not serve, in words that tell what to install."""
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


def _outcome(working: asyncio.Task[None]) -> int:
    """0 unless work has ended by itself, which it never should."""
    if not working.done():
        return 0
    error = working.exception()
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, ApiError | Unfit):
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
