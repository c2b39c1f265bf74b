"""The sources of a configuration, all their loops running, beside a real Prometheus."""

from __future__ import annotations

import asyncio

import pytest

from merit.config import Config
from merit.evidence.counts import NoSample, Sample
from merit.figures import Calls
from merit.metrics.arms import FleetArms
from merit.metrics.distributions import Wanted
from merit.metrics.sources import OWN, Sources
from merit.policy.observed import Distribution
from merit.wiring import sources_of
from tests.metrics.real import RealPrometheus
from tests.metrics.test_distributions import OLD, SCORE, World

ERRORS = {"errors": None}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("running"))
    yield world
    world.prometheus.close()
    world.exporter.close()


def config(prometheus: RealPrometheus) -> Config:
    source = {
        "prometheus": {"url": prometheus.url},
        "preset": "prometheus-client",
        "matchers": {"job": "model"},
        "server": "prometheus-client",
        "serverMatchers": {"job": "model"},
        "queries": {"namespaces": ["risk"]},
    }
    return Config.model_validate(
        {
            "metrics": {"default": "it", "sources": {"it": source}},
            "judgement": {"scrape": "1s"},
            "tick": {"fast": "1s", "live": "1s"},
            "drift": {"windows": ["10s"], "every": "5s"},
        }
    )


async def until(sources: Sources, world: World, done) -> None:
    for turn in range(200):
        world.send(OLD, 20, f"turn-{turn}")
        if done(sources):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(done(sources))


async def test_every_kind_of_reading_arrives_while_all_loops_run(world):
    calls = Calls()
    sources = sources_of(config(world.prometheus), calls)
    sources.exposed = lambda: {"it": frozenset({("risk", "fraud")})}
    looks = []
    running = asyncio.create_task(sources.run(looks.append))
    arms = FleetArms("risk", "fraud", None, "bbbbbbbb", 80, None, ERRORS)
    try:
        await until(sources, world, lambda s: isinstance(s.sample(arms), Sample))
        await until(
            sources, world, lambda s: s.dispersion("risk", "fraud", "bbbbbbbb", ERRORS) is not None
        )
        await until(
            sources,
            world,
            lambda s: isinstance(s.windows("risk", "fraud", "bbbbbbbb", SCORE), Distribution),
        )
        sources.readings("sum(model_requests_total)")
        assert sources.view_of("it", by_pods=True) == "it" + OWN and sources.per_pod("it")
        nowhere = sources.windows("risk", "fraud", "bbbbbbbb", Wanted("x"), source="gone")
        assert isinstance(nowhere, NoSample)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert {look.names for look in looks} == {None, frozenset({("risk", "fraud")})}
    assert all(not look.reason or look.reason in ("NoSeries", "Partial") for look in looks), looks
