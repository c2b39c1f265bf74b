"""Which implementation stands behind which role: the one place that names them all."""

from __future__ import annotations

import time

from merit.cluster.cache import Cache
from merit.cluster.client import Cluster
from merit.cluster.recorder import Recorder
from merit.config import Config, Source
from merit.metrics.client import Prometheus
from merit.metrics.fleet import Fleet
from merit.metrics.pods import Pods
from merit.metrics.preset import find_preset
from merit.metrics.sources import Sources, View
from merit.reconciler.loop import Reconciler


def build(
    cluster: Cluster, cache: Cache, recorder: Recorder, config: Config
) -> tuple[Reconciler, Sources]:
    """The reconciler and the metrics sources that an operator with this configuration runs."""
    views = {name: _view(source, config) for name, source in config.metrics.sources.items()}
    sources = Sources(
        views, default=config.metrics.default, fast=config.tick.fast, live=config.tick.live
    )
    reconciler = Reconciler(cluster, cache, sources, config, recorder, time.time)
    sources.exposed = reconciler.exposed
    sources.empty = lambda: not cache.keys()
    return reconciler, sources


def _view(source: Source, config: Config) -> View:
    server = source.prometheus
    prometheus = Prometheus(
        server.url,
        timeout=server.timeout,
        headers=server.headers,
        ca_file=server.ca_file,
        token_file=server.bearer_token_file,
    )
    preset = find_preset(source.preset, config.metrics.presets)
    fleet = Fleet(prometheus, preset, matchers=source.matchers, scrape=config.constants().scrape)
    pods = None
    if source.server:
        servers = find_preset(source.server, config.metrics.presets)
        pods = Pods(prometheus, servers, matchers=source.server_matchers)
    elif preset.per_pod:
        pods = Pods(prometheus, preset, matchers=source.matchers)
    return View(fleet, pods)
