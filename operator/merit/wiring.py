"""Which implementation stands behind which role: the one place that names them all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from merit.cluster.cache import Cache
from merit.cluster.client import Cluster
from merit.cluster.recorder import Recorder
from merit.config import Config, Source
from merit.evidence.counts import NoSample, Sample
from merit.metrics.client import Prometheus
from merit.metrics.fleet import Fleet, FleetArms
from merit.metrics.preset import load_preset
from merit.policy.observed import Figure
from merit.reconciler.loop import Reconciler


class Look:
    """The fleet behind the default metrics source; without one, every answer says so."""

    def __init__(self, fleet: Fleet | None) -> None:
        self._fleet = fleet
        self.exposed: Callable[[], bool] = lambda: False

    def needed(self) -> bool:
        """Whether somebody is exposed, so that looking often pays."""
        return self.exposed()

    async def tick(self) -> None:
        """One look at the whole fleet."""
        if self._fleet is not None:
            await self._fleet.tick()

    def available(self) -> tuple[bool, str, str]:
        """Whether the last look was answered."""
        if self._fleet is None:
            return True, "NoSource", "no metrics source is configured"
        return self._fleet.available()

    def sample(self, arms: FleetArms) -> Sample | NoSample:
        """As `Fleet.sample`."""
        if self._fleet is None:
            return NoSample("NoSource", "the operator's configuration has no metrics source")
        return self._fleet.sample(arms)

    def display(
        self,
        namespace: str,
        name: str,
        short: str,
        port: int,
        edges: Mapping[str, float | None],
    ) -> dict[str, Figure]:
        """As `Fleet.display`."""
        if self._fleet is None:
            return {}
        return self._fleet.display(namespace, name, short, port, edges)


def build(
    cluster: Cluster, cache: Cache, recorder: Recorder, config: Config
) -> tuple[Reconciler, Look]:
    """The reconciler and the fleet that an operator with this configuration runs."""
    chosen = config.metrics.sources.get(config.metrics.default)
    look = Look(_fleet(chosen, config) if chosen else None)
    reconciler = Reconciler(cluster, cache, look, config, recorder, time.time)
    look.exposed = reconciler.exposed
    return reconciler, look


def _fleet(source: Source, config: Config) -> Fleet:
    server = source.prometheus
    prometheus = Prometheus(
        server.url,
        timeout=server.timeout,
        headers=server.headers,
        ca_file=server.ca_file,
        token_file=server.bearer_token_file,
    )
    return Fleet(
        prometheus,
        load_preset(source.preset),
        matchers=source.matchers,
        scrape=config.constants().scrape,
    )
