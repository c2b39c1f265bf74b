"""Builds the parts of the process from the configuration: the one place that names them all."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from merit.alertmanager.client import Alertmanager
from merit.alertmanager.outbox import Outbox
from merit.config import Config, Source
from merit.kube.cache import Cache, Key
from merit.kube.client import Cluster
from merit.kube.events import EventRecorder
from merit.process.exporter import Calls
from merit.prometheus.client import CountingSource, Prometheus
from merit.prometheus.distributions import Distributions
from merit.prometheus.fleet import STALE, Fleet
from merit.prometheus.pods import Pods
from merit.prometheus.preset import find_preset
from merit.prometheus.queries import Queries
from merit.prometheus.sources import SERVERS_SUFFIX, Sources, View
from merit.reconciler.breaker import CircuitBreaker
from merit.reconciler.loop import Reconciler
from merit.reconciler.telemetry import Telemetry

POLLS = 4  # intervals that may pass without an answer before what was read counts no more


class Wake(Protocol):
    """Enqueues an object to be reconciled now; with `safety`, before all routine work."""

    def __call__(self, key: Key, *, safety: bool = False) -> None: ...


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What the components may call. `may_decide`: whether a write that takes up to so many seconds
    ends while this process certainly leads. `defer`: enqueues an object whose next calls may take
    long.
    """

    wake: Wake
    may_decide: Callable[[float], bool]
    defer: Callable[[Key], None]


@dataclass(frozen=True, slots=True)
class Components:
    """The parts that do the work. `outbox`: None without an Alertmanager."""

    reconciler: Reconciler
    metrics: Sources
    telemetry: Telemetry
    outbox: Outbox | None = None


Build = Callable[[Cluster, Cache, EventRecorder, Config, Calls, Callbacks], Components]


def build(
    cluster: Cluster,
    cache: Cache,
    recorder: EventRecorder,
    config: Config,
    calls: Calls,
    callbacks: Callbacks,
) -> Components:
    """The components of an operator with this configuration."""
    sources = sources_of(config, calls)
    outbox = _outbox(config, callbacks.wake)
    breaker = CircuitBreaker(lambda key: callbacks.wake(key, safety=True))
    telemetry = Telemetry(outbox, incident=lambda: bool(breaker.incidents(time.time())))
    reconciler = Reconciler(
        cluster,
        cache,
        sources,
        config,
        recorder,
        time.time,
        telemetry=telemetry,
        breaker=breaker,
        may_decide=callbacks.may_decide,
        defer=callbacks.defer,
    )
    return Components(reconciler=reconciler, metrics=sources, telemetry=telemetry, outbox=outbox)


def sources_of(config: Config, calls: Calls) -> Sources:
    """The metrics sources of this configuration; their queries are counted in `calls`."""
    metrics = config.metrics
    views: dict[str, View] = {}
    for name, source in metrics.sources.items():
        views |= _views(name, source, config, calls)
    return Sources(
        views,
        fast=config.tick.fast,
        live=config.tick.live,
        drift=config.drift.every,
    )


def _outbox(config: Config, wake: Wake) -> Outbox | None:
    server = config.alerts.alertmanager
    if server is None:
        return None
    alertmanager = Alertmanager(server.url, **server.access())
    return Outbox(alertmanager, wake=lambda place: wake(Key(*place)))


def _views(name: str, source: Source, config: Config, calls: Calls) -> dict[str, View]:
    """A source's views by name: of its gateway, and of its servers for routes without a gateway."""
    client = Prometheus(source.prometheus.url, **source.prometheus.access())
    prometheus = CountingSource(client, name, calls.queries)
    preset = find_preset(source.preset, config.metrics.presets)
    scrape, stale = config.constants().scrape, max(STALE, POLLS * config.tick.live)
    fleet = Fleet(prometheus, preset, matchers=source.matchers, scrape=scrape, stale=stale)
    queries = Queries(prometheus) if source.queries.namespaces else None
    if not source.server and not preset.per_pod:
        return {name: View(fleet, queries=queries)}
    servers, matchers = preset, source.matchers
    if source.server:
        servers = find_preset(source.server, config.metrics.presets)
        matchers = source.server_matchers
    pods = Pods(prometheus, servers, matchers=matchers)
    distributions = Distributions(prometheus, pods, windows=config.drift.windows)
    view = View(fleet, pods, distributions=distributions, queries=queries)
    if not source.server:
        return {name: view}
    server_fleet = Fleet(prometheus, servers, matchers=matchers, scrape=scrape, stale=stale)
    return {name: view, name + SERVERS_SUFFIX: View(server_fleet, pods, on_demand=True)}
