"""What becomes of answers that are too large, of silent targets, of samples that cannot be."""

from __future__ import annotations

import math
import re

import pytest

from merit.prometheus.answer import Answer, Series
from merit.prometheus.fleet import Fleet
from merit.prometheus.inspection import inspect
from merit.prometheus.preset import load_preset, parse_preset, preset_names, service_of
from merit.prometheus.sampling import SampleRequest
from merit.stats.counts import Counts, NoSample, Sample
from tests.prometheus.world import BUCKET, CANARY, STABLE, T0, XX, FakePrometheus, cluster

ERRORS = {"errors": None}


def arms(since, edges=ERRORS):
    return SampleRequest("ns", "fraud", CANARY, STABLE, 80, since, edges, T0 + 6)


@pytest.fixture
def world():
    fake = FakePrometheus()
    for _ in range(2):
        fake.serve(STABLE, ok=100)
        fake.scrape()
    return fake


async def test_an_answer_beyond_the_cap_is_asked_for_by_the_last_digit_of_the_names(world):
    original, parts = world.instant, []

    async def capped(query, at=None):
        if query.startswith(XX):
            digit = re.search(r"\{7\}(.)_", query)
            if digit is None:
                return Answer(reason="MetricsLost", message="too large", too_large=True)
            parts.append(digit[1])
            if digit[1] not in (CANARY[-1], STABLE[-1]):
                return Answer()
            answer = await original(query, at)
            arm = f"{digit[1]}_80"
            mine = (s for s in answer.series if s.labels["envoy_cluster_name"].endswith(arm))
            return Answer(tuple(mine))
        return await original(query, at)

    world.instant = capped
    reader = Fleet(world, scrape=5.0)
    await reader.poll()
    since = reader.sample(arms(None)).at
    world.serve(CANARY, ok=8, failed=2)
    world.serve(STABLE, ok=90)
    world.scrape()
    await reader.poll()
    pair = reader.sample(arms(since)).signals["errors"]
    assert (pair.candidate, pair.stable) == (Counts(10, 2), Counts(90, 0))
    # Sixteen parts at each of two ticks: what was too large once is not asked for whole again.
    assert sorted(parts) == sorted("0123456789abcdef" * 2)


FAT = "0000fafa"


class OneFatRevision(FakePrometheus):
    """An answer with the series of one revision is too large, or is refused."""

    fat = True

    async def instant(self, query, at=None):
        self.queries.append(query)
        if not query.startswith(XX):
            return await super().instant(query, at)
        label, found = "envoy_cluster_name", []
        for op, pattern in re.findall(label + r'(=~|!~)"([^"]*)"', query):
            names = [cluster(short) for short in (CANARY, STABLE, FAT)]
            found.append({n for n in names if bool(re.fullmatch(pattern, n)) is (op == "=~")})
        chosen = set.intersection(*found)
        if self.fat and cluster(FAT) in chosen:
            return Answer(reason="MetricsLost", message="above 32 MiB", too_large=True)
        answer = await super().instant(query, at)
        mine = (s for s in answer.series if s.labels[label] in chosen)
        return Answer(tuple(mine))


async def test_a_revision_with_too_many_series_is_told_and_blinds_nobody_else():
    world = OneFatRevision()
    for _ in range(2):
        world.serve(STABLE, ok=100)
        world.scrape()
    reader = Fleet(world, scrape=5.0)
    await reader.poll()
    since = reader.sample(arms(None)).at
    world.serve(CANARY, ok=8, failed=2)
    world.serve(STABLE, ok=90)
    world.scrape()
    before = len(world.queries)
    await reader.poll()
    pair = reader.sample(arms(since)).signals["errors"]
    assert (pair.candidate, pair.stable) == (Counts(10, 2), Counts(90, 0))
    # One query again: the revision is left out by name until it is tried once more.
    assert sum(q.startswith(XX) for q in set(world.queries[before:])) == 1
    told = reader.sample(SampleRequest("ns", "fraud", None, FAT, 80, None, ERRORS))
    assert told.reason == "TooManySeries" and XX in told.message
    assert not reader.idle("ns", "fraud", FAT, 80)
    world.fat = False
    for _ in range(3):
        world.serve(FAT, ok=5)
        world.scrape()
    reader._poller.forget_sizes()
    await reader.poll()
    again = reader.sample(SampleRequest("ns", "fraud", None, FAT, 80, None, ERRORS))
    assert isinstance(again, Sample)


async def test_silent_targets_make_an_answer_partial(world):
    world.serve(STABLE, ok=10, target="envoy-2")
    world.scrape()
    world.down = {"envoy-1"}
    reader = Fleet(world, scrape=5.0)
    await reader.poll()
    assert reader.available() == (False, "Partial", "1 of 2 instances of the gateway answer")
    assert isinstance(reader.sample(arms(T0)), NoSample)


async def test_dead_targets_that_are_no_gateway_are_nobodys_business(world):
    world.down = {"nightly-1", "nightly-2", "nightly-3"}
    reader = Fleet(world, scrape=5.0)
    await reader.poll()
    assert isinstance(reader.sample(arms(None)), Sample)


async def test_a_gateway_that_two_jobs_scrape_is_counted_once(world):
    original = world.instant

    async def twice(query, at=None):
        answer = await original(query, at)
        if "[" not in query:
            return answer
        again = (Series(s.labels | {"job": "again"}, s.samples) for s in answer.series)
        return Answer((*answer.series, *again))

    world.instant = twice
    reader = Fleet(world, scrape=5.0)
    await reader.poll()
    since = reader.sample(arms(None)).at
    world.serve(STABLE, ok=90)
    world.scrape()
    await reader.poll()
    assert reader.sample(arms(since)).signals["errors"].stable == Counts(90, 0)


async def test_a_sample_from_the_future_does_not_exist_yet(world):
    reader = Fleet(world, scrape=5.0)
    await reader.poll()
    since = reader.sample(arms(None)).at
    original = world.instant

    async def ahead(query, at=None):
        answer = await original(query, at)
        if not query.startswith(XX):
            return answer
        future = tuple(
            Series(s.labels, (*s.samples, (world.now + 900, s.samples[-1][1] + 5000)))
            for s in answer.series
        )
        return Answer(future)

    world.instant = ahead
    world.serve(STABLE, ok=90)
    world.scrape()
    await reader.poll()
    sample = reader.sample(arms(since))
    assert sample.at == world.now
    assert sample.signals["errors"].stable == Counts(90, 0)


async def test_a_preset_that_counts_no_errors_is_no_source_for_them(world):
    preset = parse_preset(
        "name: x\ntested: here\n"
        "arm: {label: envoy_cluster_name, is: '{namespace}_{service}_{port}'}\n"
        f"requests: {{series: {XX}}}\nlatency: {{mean: {BUCKET}, unit: ms}}\n"
    )
    reader = Fleet(world, preset, scrape=5.0)
    await reader.poll()
    assert reader.sample(arms(T0)).reason == "NoSeries"
    problem = reader.sample(arms(T0, {"latency/p99": 0.1}))
    assert problem.reason == "MeanOnly" and "percentiles" in problem.message


class CannedSeries:
    """Answers by what the query begins with."""

    def __init__(self, **answers):
        self.answers, self.queries = answers, []

    async def instant(self, query, at=None):
        self.queries.append(query)
        if query.startswith("label_replace(count("):
            arms = "pod=~" in query or "envoy_cluster_name=~" in query
            names = self.answers["arms" if arms else "anywhere"]
            return Answer(tuple(Series({"metric": n}, ((1.0, 3.0),)) for n in names))
        return Answer(tuple(Series({"le": le}, ((1.0, 3.0),)) for le in self.answers.get("le", ())))


async def test_series_without_the_label_of_a_revision_are_hidden_labels():
    found = await inspect(CannedSeries(arms=(), anywhere=(XX,)), load_preset(), 'job="envoy"')
    assert found.problem.reason == "LabelsHidden" and "envoy_cluster_name" in found.problem.message


async def test_no_series_at_all_is_reported_with_the_names_that_were_tried():
    found = await inspect(CannedSeries(arms=(), anywhere=()), load_preset(), 'job="envoy"')
    assert found.problem.reason == "NoSeries" and XX in found.problem.message


async def test_the_first_variant_that_is_there_is_taken():
    preset = parse_preset(
        "name: x\ntested: here\npod: {namespace: namespace, pod: pod}\n"
        "requests:\n- {series: new_total, class: code, errors: ['5..']}\n"
        "- {series: old_total, class: code, errors: ['5..']}\n"
        "latency:\n- {bucket: new_bucket, unit: s}\n- {bucket: old_bucket, unit: ms}\n"
    )
    found = await inspect(
        CannedSeries(arms=("old_total", "old_bucket"), le=("1", "+Inf")), preset, ""
    )
    assert found.requests.series == "old_total" and found.latency.unit == "ms"
    assert found.edges == {1.0: "1", math.inf: "+Inf"}


@pytest.mark.parametrize(
    ("pod", "service"),
    [
        ("fraud-1b2ac0de-7d4f9c5b6-x2x7q", "fraud-1b2ac0de"),
        # The hash of a ReplicaSet may look like a revision; a name may hold one.
        ("fraud-1b2ac0de-77c4f9d5-x2x7q", "fraud-1b2ac0de"),
        ("fraud-deadbeef-1b2ac0de-7d4f9c5b6-x2x7q", "fraud-deadbeef-1b2ac0de"),
        # Kubernetes cuts a name at 58 characters before the last five.
        ("a" * 40 + "-1b2ac0de-7d4f9c5bx2x7q", "a" * 40 + "-1b2ac0de"),
        ("fraud-7d4f9c5b6-x2x7q", None),
        ("prometheus-0", None),
    ],
)
def test_a_pod_belongs_to_the_revision_in_its_name(pod, service):
    assert service_of(pod) == service


async def test_bounds_between_edges_are_warned_about_with_both_neighbours(world):
    reader = Fleet(world, scrape=5.0)
    await reader.poll()
    (coarse,) = reader.warnings({"errors": None, "latency/p99": 0.12})
    assert coarse[0] == "BucketsTooCoarse" and "250ms" in coarse[1] and "100ms" in coarse[1]
    assert reader.warnings({"latency/p99": 0.1}) == ()
    (beyond,) = reader.warnings({"latency/p99": 9.0})
    assert beyond[0] == "NoBucketEdge"


async def test_a_newer_poll_of_all_objects_serves_the_exposed_as_well(world):
    reader = Fleet(world, scrape=5.0)
    await reader.poll(frozenset({("ns", "fraud")}))
    world.serve(STABLE, ok=10)
    world.scrape()
    await reader.poll()
    sample = reader.sample(arms(None))
    assert isinstance(sample, Sample) and sample.at == world.now


class ExactNames(FakePrometheus):
    """A backend that takes a metric's exact name only, as Google's Managed Prometheus does."""

    async def instant(self, query, at=None):
        if re.search(r"__name__\s*(=~|!~|!=)", query):
            return Answer(reason="MetricsLost", message="unsupported matchtype for __name__")
        return await super().instant(query, at)


async def test_a_backend_that_takes_exact_names_of_metrics_only_is_read():
    world = ExactNames()
    for _ in range(2):
        world.serve(STABLE, ok=100)
        world.scrape()
    reader = Fleet(world, scrape=5.0)
    await reader.poll()
    assert reader.available()[1] == "Fresh"


@pytest.mark.parametrize("name", preset_names())
async def test_no_preset_selects_metrics_by_a_pattern_of_their_names(name):
    source = CannedSeries(arms=(), anywhere=())
    await inspect(source, load_preset(name), "")
    assert source.queries and not any("__name__" in query for query in source.queries)
