"""Which implementation stands behind which role: the one place that names them all."""

from __future__ import annotations

import time

from merit.alerts.client import Alertmanager
from merit.alerts.outbox import Outbox
from merit.cluster.cache import Cache
from merit.cluster.client import Cluster
from merit.cluster.recorder import Recorder
from merit.config import Config, Source
from merit.figures import Calls
from merit.metrics.client import Prometheus
from merit.metrics.counted import Counted
from merit.metrics.distributions import Distributions
from merit.metrics.fleet import Fleet
from merit.metrics.pods import Pods
from merit.metrics.preset import find_preset
from merit.metrics.queries import Queries
from merit.metrics.sources import OWN, Sources, View
from merit.reconciler.loop import Reconciler
from merit.reconciler.witness import Witness
from merit.works import Works


def build(
    cluster: Cluster, cache: Cache, recorder: Recorder, config: Config, calls: Calls
) -> Works:
    """What an operator with this configuration does its work with."""
    sources = sources_of(config, calls)
    outbox = _outbox(config)
    witness = Witness(outbox)
    reconciler = Reconciler(cluster, cache, sources, config, recorder, time.time, witness)
    sources.exposed = reconciler.exposed
    sources.empty = lambda: not cache.keys()
    return Works(reconciler=reconciler, fleet=sources, witness=witness, outbox=outbox)


def sources_of(config: Config, calls: Calls) -> Sources:
    """The metrics sources of this configuration; their queries are counted in `calls`."""
    metrics = config.metrics
    views: dict[str, View] = {}
    for name, each in metrics.sources.items():
        views |= _views(name, each, config, calls)
    return Sources(
        views,
        default=metrics.default,
        fast=config.tick.fast,
        live=config.tick.live,
        drift=config.drift.every,
    )


def _outbox(config: Config) -> Outbox | None:
    server = config.alerts.alertmanager
    if server is None:
        return None
    alertmanager = Alertmanager(
        server.url,
        headers=server.headers,
        ca_file=server.ca_file,
        token_file=server.bearer_token_file,
    )
    return Outbox(alertmanager)


def _views(name: str, source: Source, config: Config, calls: Calls) -> dict[str, View]:
    """The source as the gateway tells it, and as its servers do, for who has no gateway."""
    server = source.prometheus
    asked = Prometheus(
        server.url,
        timeout=server.timeout,
        headers=server.headers,
        ca_file=server.ca_file,
        token_file=server.bearer_token_file,
    )
    prometheus = Counted(asked, name, calls.queries)
    preset = find_preset(source.preset, config.metrics.presets)
    fleet = Fleet(prometheus, preset, matchers=source.matchers, scrape=config.constants().scrape)
    queries = Queries(prometheus) if source.queries.namespaces else None
    if not source.server and not preset.per_pod:
        return {name: View(fleet, queries=queries)}
    servers, chosen = preset, source.matchers
    if source.server:
        servers = find_preset(source.server, config.metrics.presets)
        chosen = source.server_matchers
    pods = Pods(prometheus, servers, matchers=chosen)
    distributions = Distributions(prometheus, pods, windows=config.drift.windows)
    view = View(fleet, pods, distributions=distributions, queries=queries)
    if not source.server:
        return {name: view}
    own = Fleet(prometheus, servers, matchers=chosen, scrape=config.constants().scrape)
    return {name: view, name + OWN: View(own, pods, idle=True)}
