"""The sources of a configuration, all their loops running, beside a real Prometheus."""

from __future__ import annotations

import asyncio
import time

import pytest

from merit.config import Config
from merit.policy.state.measurements import Distribution
from merit.process.assembly import sources_of
from merit.process.exporter import Calls
from merit.prometheus.sampling import SampleRequest
from merit.prometheus.sources import SERVERS_SUFFIX, Sources
from merit.stats.counts import Sample
from tests.prometheus.real import TRIES, RealPrometheus
from tests.prometheus.scoring_model import OLD, SCORE, ScoringModel

ERRORS = {"errors": None}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = ScoringModel(tmp_path_factory.mktemp("running"))
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


async def until(sources: Sources, world: ScoringModel, done) -> None:
    for turn in range(TRIES):
        world.send(OLD, 20, f"turn-{turn}")
        if done(sources):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(done(sources))


async def test_every_kind_of_reading_arrives_while_all_loops_run(world):
    calls = Calls()
    sources = sources_of(config(world.prometheus), calls)
    polls = []
    exposed = {"it": frozenset({("risk", "fraud")})}
    running = asyncio.create_task(sources.run(polls.append, exposed=lambda: exposed))
    arms = SampleRequest("risk", "fraud", None, "bbbbbbbb", 80, None, ERRORS)
    try:
        await until(sources, world, lambda s: isinstance(s.view("it").fleet.sample(arms), Sample))
        view, stable, now = sources.view("it"), ("risk", "fraud", "bbbbbbbb"), time.monotonic
        await until(
            sources, world, lambda _: view.pods.dispersion(*stable, ERRORS, now()) is not None
        )
        await until(
            sources,
            world,
            lambda _: isinstance(view.distributions.windows(*stable, SCORE, now()), Distribution),
        )
        view.queries.readings("sum(model_requests_total)", "risk", now())
        assert sources.view_of("it", by_pods=True) == "it" + SERVERS_SUFFIX
        assert sources.view("gone") is None
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert {poll.names for poll in polls} == {None, frozenset({("risk", "fraud")})}
    assert all(not poll.reason or poll.reason in ("NoSeries", "Partial") for poll in polls), polls
