from __future__ import annotations

import pytest

from merit.prometheus.answer import Answer
from merit.prometheus.fleet import Fleet
from merit.prometheus.sampling import SampleRequest
from merit.stats.counts import Counts, NoSample, Sample
from tests.prometheus.world import BUCKET, CANARY, STABLE, T0, XX, FakePrometheus, cluster

ERRORS = {"errors": None}
BOTH = {"errors": None, "latency/p99": 0.1}


def arms(since: float | None, edges=ERRORS, **kwargs) -> SampleRequest:
    terms = {"candidate": CANARY, "stable": STABLE, "candidate_started_at": T0 + 6}
    return SampleRequest("ns", "fraud", since=since, edges=edges, **({"port": 80} | terms | kwargs))


@pytest.fixture
def world() -> FakePrometheus:
    """Stable has been serving for two scrapes."""
    fake = FakePrometheus()
    for _ in range(2):
        fake.serve(STABLE, ok=100)
        fake.scrape()
    return fake


def fleet(world: FakePrometheus) -> Fleet:
    return Fleet(world, scrape=5.0)


async def look(fleet: Fleet, since: float | None, edges=ERRORS, **kwargs) -> Sample:
    await fleet.poll()
    sample = fleet.sample(arms(since, edges, **kwargs))
    assert isinstance(sample, Sample), sample
    return sample


async def test_the_first_sample_sets_a_baseline_and_carries_no_counts(world):
    sample = await look(fleet(world), None)
    assert sample == Sample(T0 + 10, None, {})


async def test_the_first_errors_of_a_new_canary_are_counted_in_full(world):
    reader = fleet(world)
    since = (await look(reader, None)).at
    world.serve(CANARY, ok=7, failed=3)
    world.serve(STABLE, ok=90)
    world.scrape()
    pair = (await look(reader, since)).signals["errors"]
    assert pair.candidate == Counts(10, 3)
    assert pair.stable == Counts(90, 0)


async def test_an_absent_error_class_beside_a_present_one_is_zero_errors(world):
    reader = fleet(world)
    since = (await look(reader, None)).at
    world.serve(CANARY, ok=7)
    world.serve(STABLE, ok=90)
    world.scrape()
    pair = (await look(reader, since)).signals["errors"]
    assert (pair.candidate, pair.stable) == (Counts(7, 0), Counts(90, 0))


async def test_a_series_from_before_the_candidate_is_only_a_baseline():
    world = FakePrometheus()
    world.serve(STABLE, ok=100)
    world.scrape()
    reader = fleet(world)
    since = (await look(reader, None)).at
    world.serve(CANARY, ok=50)
    world.scrape()
    sample = await look(reader, since, candidate_started_at=world.now + 100)
    assert sample.signals["errors"].candidate == Counts(0, 0)


async def test_a_restarted_envoy_counts_from_zero_and_never_too_much(world):
    reader = fleet(world)
    world.serve(CANARY, ok=500)
    world.scrape()
    since = (await look(reader, None)).at
    world.restart()
    world.serve(CANARY, ok=5, failed=2)
    world.serve(STABLE, ok=80)
    world.scrape()
    pair = (await look(reader, since)).signals["errors"]
    assert pair.candidate == Counts(7, 2)
    assert pair.stable == Counts(80, 0)


async def test_a_new_envoy_is_a_baseline_for_both_arms_and_counts_from_then_on(world):
    reader = fleet(world)
    since = (await look(reader, None)).at
    for _ in range(2):
        for short in (CANARY, STABLE):
            world.serve(short, ok=30, failed=1, target="envoy-2")
        world.serve(STABLE, ok=10)
        world.scrape()
    pair = (await look(reader, since)).signals["errors"]
    assert pair.candidate == Counts(31, 1)
    assert pair.stable == Counts(51, 1)


async def test_a_missing_scrape_is_covered_by_the_next_increase(world):
    reader = fleet(world)
    since = (await look(reader, None)).at
    world.serve(CANARY, ok=10)
    world.serve(STABLE, ok=90)
    world.now += 5
    assert (await look(reader, since)).signals == {}
    world.serve(CANARY, ok=10)
    world.serve(STABLE, ok=90)
    world.scrape()
    sample = await look(reader, since)
    assert sample.at == since + 10
    assert sample.signals["errors"].candidate == Counts(20, 0)


async def test_no_request_is_counted_twice_and_none_is_lost_however_polls_are_spaced(world):
    reader = fleet(world)
    since = (await look(reader, None)).at
    total = Counts()
    for i in range(60):
        world.serve(CANARY, ok=i % 7, failed=i % 3)
        world.serve(STABLE, ok=50)
        world.scrape()
        if i % 4 == 0:
            reader = fleet(world)  # the operator restarts
        if i % 3 == 0:
            sample = await look(reader, since)
            again = await look(reader, since)
            assert again == sample
            if sample.signals:
                total += sample.signals["errors"].candidate
                since = sample.at
    assert since == world.now - 10
    served = range(58)
    assert total == Counts(sum(i % 7 + i % 3 for i in served), sum(i % 3 for i in served))


async def test_an_envoy_that_is_scraped_later_is_waited_for(world):
    reader = fleet(world)
    world.serve(STABLE, ok=1, target="envoy-2")
    world.serve(CANARY, ok=1, target="envoy-2")
    world.scrape()
    since = (await look(reader, None)).at
    world.serve(CANARY, ok=5, target="envoy-2")
    world.serve(CANARY, ok=5)
    world.scrape(3, only="envoy-1")
    assert (await look(reader, since)).signals == {}
    world.scrape(1, only="envoy-2")
    first = await look(reader, since)
    assert first.at == since + 3
    world.scrape(4, only="envoy-1")
    second = await look(reader, first.at)
    counted = [s.signals["errors"].candidate.n for s in (first, second)]
    assert sum(counted) == 10


async def test_a_gap_above_ten_minutes_is_a_new_baseline(world):
    reader = fleet(world)
    since = (await look(reader, None)).at
    world.serve(CANARY, failed=999)
    world.scrape(700)
    sample = await look(reader, since)
    assert sample.since is None and sample.signals == {}


async def test_latency_counts_what_is_slower_than_the_limit_and_what_timed_out(world):
    reader = fleet(world)
    since = (await look(reader, None, BOTH)).at
    world.serve(CANARY, ok=90)
    world.serve(CANARY, ok=6, ms=180)
    world.serve(CANARY, timeouts=4)
    world.serve(STABLE, ok=100)
    world.scrape()
    pair = (await look(reader, since, BOTH)).signals["latency/p99"]
    assert pair.candidate == pair.candidate_below == Counts(100, 10)
    assert pair.stable == Counts(100, 0)
    asked = next(q for q in world.queries if q.startswith(BUCKET))
    assert "100(\\\\.0)?" in asked and 'job="envoy"' in asked


async def test_a_limit_between_edges_is_bad_above_and_good_below(world):
    reader = fleet(world)
    edges = {"latency/p99": 0.12}
    since = (await look(reader, None, edges)).at
    world.serve(CANARY, ok=90)
    world.serve(CANARY, ok=6, ms=180)
    world.serve(CANARY, ok=4, ms=400)
    world.serve(STABLE, ok=100)
    world.scrape()
    pair = (await look(reader, since, edges)).signals["latency/p99"]
    assert pair.candidate == Counts(100, 4)
    assert pair.candidate_below == Counts(100, 10)


async def test_a_limit_beyond_the_top_edge_is_refused(world):
    reader = fleet(world)
    await reader.poll()
    answer = reader.sample(arms(T0, {"latency/p99": 9.0}))
    assert isinstance(answer, NoSample) and answer.reason == "NoBucketEdge"


async def test_a_torn_scrape_waits_and_then_leaves_the_signal_out(world):
    reader = fleet(world)
    since = (await look(reader, None, BOTH)).at
    world.serve(CANARY, ok=10)
    world.serve(STABLE, ok=100)
    world.counters[(BUCKET, "envoy-1", cluster(CANARY), "100.0")] += 50
    world.scrape()
    await look(reader, since, BOTH)
    looks = [await look(reader, since, BOTH) for _ in range(2)]
    assert looks[0].signals == {}
    assert set(looks[1].signals) == {"errors"}


async def test_the_serving_revision_alone_is_reported_as_stable(world):
    reader = fleet(world)
    since = (await look(reader, None, candidate=None)).at
    world.serve(STABLE, ok=40, failed=2)
    world.scrape()
    pair = (await look(reader, since, candidate=None)).signals["errors"]
    assert (pair.candidate, pair.stable) == (Counts(), Counts(42, 2))
    other = await look(reader, since, candidate=STABLE, stable=None)
    assert other.signals["errors"].stable.n == 42


async def test_a_stable_arm_without_series_beside_others_has_no_traffic(world):
    reader = fleet(world)
    await reader.poll()
    answer = reader.sample(arms(T0, stable="cccccccc"))
    assert isinstance(answer, NoSample) and answer.reason == "NoTraffic"


async def test_silent_targets_are_lost_metrics(world):
    reader = fleet(world)
    since = (await look(reader, None)).at
    world.now += 16
    await reader.poll()
    answer = reader.sample(arms(since))
    assert isinstance(answer, NoSample) and answer.reason == "MetricsLost"


async def test_samples_that_stop_are_lost_however_long_ago_and_never_no_traffic(world):
    reader = fleet(world)
    since = (await look(reader, None)).at
    reasons = []
    for _ in range(20):
        world.now += 16
        await reader.poll()
        reasons.append(reader.sample(arms(since)).reason)
    assert set(reasons) <= {"MetricsLost", "NoSeries"}, reasons


async def test_a_histogram_that_vanishes_is_no_data_and_not_too_little_traffic(world):
    reader = fleet(world)
    since = (await look(reader, None, BOTH)).at
    world.edges = ()
    world.stored = {key: points for key, points in world.stored.items() if key[0] != BUCKET}
    world.counters = {key: n for key, n in world.counters.items() if key[0] != BUCKET}
    add = world._add
    world._add = lambda key, n: None if key[0] == BUCKET else add(key, n)
    world.serve(STABLE, ok=90)
    world.serve(CANARY, ok=8, failed=2)
    world.scrape()
    sample = await look(reader, since, BOTH)
    assert sample.signals["errors"].candidate == Counts(10, 2)
    assert sample.lost["latency/p99"].reason == "NoSeries" and BUCKET in str(sample.lost)
    await fleet(world).poll()
    again = fleet(world)  # another operator finds no histogram at all
    lost = (await look(again, None, BOTH)).lost["latency/p99"]
    assert lost.reason == "NoSeries" and BUCKET in lost.message


async def test_an_unreachable_prometheus_is_lost_metrics_until_it_answers(world):
    reader = fleet(world)
    assert reader.available()[1] == "MetricsLost"
    await look(reader, None)
    assert reader.available()[:2] == (True, "Fresh")
    world.failing = Answer(reason="Partial", message="a store is down")
    await reader.poll()
    assert reader.available() == (False, "Partial", "a store is down")
    assert reader.sample(arms(T0)) == NoSample("Partial", "a store is down")
    assert not reader.idle("ns", "fraud", CANARY, 80)
    world.failing = None
    await reader.poll()
    assert reader.available()[0]


async def test_a_lost_poll_of_all_objects_is_not_made_good_by_one_of_the_exposed_ones(world):
    reader = fleet(world)
    await look(reader, None)
    world.failing = Answer(reason="MetricsLost", message="above 32 MiB")
    await reader.poll()
    world.failing = None
    await reader.poll(frozenset({("ns", "exposed")}))
    assert reader.sample(arms(None)) == NoSample("MetricsLost", "above 32 MiB")
    assert reader.display("ns", "fraud", STABLE, 80, ERRORS) == {}
    await reader.poll(frozenset({("ns", "fraud")}))
    assert isinstance(reader.sample(arms(None)), Sample)


async def test_what_was_read_is_lost_once_it_is_not_renewed_for_some_intervals(world):
    now = [0.0]
    reader = Fleet(world, scrape=5.0, stale=60.0, clock=lambda: now[0])
    await look(reader, None)
    now[0] = 60.0
    assert isinstance(reader.sample(arms(None)), Sample)
    now[0] = 61.0
    lost = reader.sample(arms(None))
    assert isinstance(lost, NoSample) and lost.reason == "MetricsLost"
    await reader.poll(frozenset({("ns", "exposed")}))
    assert isinstance(reader.sample(arms(None)), NoSample)


async def measured_by_other_buckets(world, edges):
    """What is counted of a canary with these edges, of which every request takes 30 ms."""
    reader, between = fleet(world), {"errors": None, "latency/p99": 0.1}
    since = (await look(reader, None, between)).at
    world.serve(STABLE, ok=90)
    world.edges = edges
    world.serve(CANARY, ok=10)
    world.scrape()
    return await look(reader, since, between)


@pytest.mark.parametrize("edges", [(25.0, 50.0, 250.0, 500.0), (60.0, 250.0)])
async def test_requests_beyond_an_edge_that_a_histogram_lacks_are_not_slow(world, edges):
    sample = await measured_by_other_buckets(world, edges)
    pair = sample.signals.get("latency/p99")
    assert pair is None or pair.candidate == Counts(10, 0)
    assert (pair is None) is ("latency/p99" in sample.lost)
    assert sample.signals["errors"].candidate == Counts(10, 0)


async def test_without_any_edge_beside_the_bound_a_signal_is_lost_and_the_others_are_not(world):
    sample = await measured_by_other_buckets(world, ())
    assert sample.lost["latency/p99"].reason == "NoBucketEdge"
    assert set(sample.signals) == {"errors"}


async def test_an_arm_is_idle_once_nothing_ended_there_for_three_scrapes(world):
    reader = fleet(world)
    world.serve(CANARY, ok=10)
    world.scrape()
    await reader.poll()
    assert not reader.idle("ns", "fraud", CANARY, 80)
    for _ in range(4):
        world.serve(STABLE, ok=10)
        world.scrape()
    await reader.poll()
    assert reader.idle("ns", "fraud", CANARY, 80)
    assert not reader.idle("ns", "fraud", STABLE, 80)
    assert reader.idle("ns", "fraud", "dddddddd", 80)


async def test_a_live_revision_shows_its_errors_and_its_quantile(world):
    reader = fleet(world)
    await reader.poll()
    reader.display("ns", "fraud", STABLE, 80, BOTH)
    for _ in range(3):
        world.serve(STABLE, ok=95, failed=1)
        world.serve(STABLE, ok=4, ms=180)
        world.scrape()
    await reader.poll()
    figures = reader.display("ns", "fraud", STABLE, 80, BOTH)
    assert figures["errors"].n == 400
    assert figures["errors"].value == "0.75%"
    assert figures["latency/p99"].share == pytest.approx(12 / 400)
    assert figures["latency/p99"].value.endswith("ms")


async def test_one_tick_asks_one_query_for_each_metric_of_the_fleet(world):
    reader = fleet(world)
    await look(reader, None, BOTH)
    await reader.poll()
    before = len(world.queries)
    for _ in range(50):
        reader.sample(arms(T0, BOTH))
    await reader.poll()
    asked = world.queries[before:]
    assert [q.partition("{")[0] for q in asked] == [
        "time()", XX, BUCKET, "envoy_cluster_upstream_rq_timeout", "up",
    ]  # fmt: skip


async def test_two_series_of_one_target_for_one_class_are_refused(world):
    original = world.instant

    async def doubled(query, at=None):
        answer = await original(query, at)
        return Answer(answer.series * 2) if query.startswith(XX) else answer

    world.instant = doubled
    reader = fleet(world)
    await reader.poll()
    answer = reader.sample(arms(T0))
    assert isinstance(answer, NoSample) and answer.reason == "Partial"


async def test_the_two_arms_may_listen_on_different_ports(world):
    reader = fleet(world)
    await reader.poll()
    there = reader.sample(arms(None, port=9000, stable_port=80))
    assert isinstance(there, Sample)
    nowhere = reader.sample(arms(None, stable_port=9000))
    assert isinstance(nowhere, NoSample) and nowhere.reason == "NoTraffic"
