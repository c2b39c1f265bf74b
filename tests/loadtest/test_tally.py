"""What was sent compared with what the pods counted: real exposition text, real connections."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest

from merit.config import Metrics
from merit.loadtest import tally
from merit.loadtest.counts import Counts
from merit.loadtest.exposition import MAX_BYTES, parse
from merit.loadtest.fold import Results
from merit.loadtest.order import Counter as Counted
from merit.loadtest.order import Order, Scrape
from merit.loadtest.plan import Plan
from merit.loadtest.tally import Tally
from merit.reconciler.gather import counters_of
from tests.loadtest.server import TimedServer, fixed, serving

RECORDED = Path(__file__).parents[1] / "prometheus" / "recorded"
# Predictions while it was recorded, by the first counter of the preset that was there.
SENT = {"bentoml": 21, "kserve-python": 21, "mlserver": 21, "vllm": 11}
OURS = Counted(("model_requests_total",))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second of patience instead of ten."""
    monkeypatch.setattr(tally, "COUNT_DELAY", 1.0)
    monkeypatch.setattr(tally, "PAUSE", 0.05)


def order(*servers: TimedServer, counters: tuple[Counted, ...] = (OURS,)) -> Order:
    scrape = Scrape(servers[0].port, "/metrics", counters)
    plan = Plan(10.0, 1.0, (), (100.0,))
    return Order(plan, tuple(s.url for s in servers), "POST", "/predict", scrape=scrape)


def sent(*codes: int) -> Results:
    results = Results()
    for seq, code in enumerate(codes):
        results.add(seq=seq, at=seq, latency=1, code=code, interval=1)
    return results


def replying(*replies: tuple[int, str]) -> Callable[[TimedServer], tuple[int, str]]:
    """The answers of /metrics one after the other; the last one for ever."""
    nth = count()
    return lambda _: replies[min(next(nth), len(replies) - 1)]


def compared(first: str, *later: str, good: int = 0) -> Counts:
    with serving(fixed(0.0)) as server:
        server.exposed = replying((200, first), *((200, text) for text in later))
        found = Tally(order(server))
        found.add(sent(*[200] * good))
        return found.counts()


@pytest.mark.parametrize("server", SENT)
def test_real_servers_metrics_are_read_by_their_preset(server: str) -> None:
    source = {"prometheus": {"url": "http://p"}, "preset": server}
    counters = counters_of(Metrics.model_validate({"sources": {"s": source}}))["s"]
    values = parse((RECORDED / f"{server}.txt").read_text().splitlines(), counters).values
    assert sum(values[0].values()) == SENT[server]


def test_metrics_of_the_client_library_are_read_with_every_label() -> None:
    registry = CollectorRegistry()
    requests = Counter("model_requests", "Predictions.", ["code", "tenant"], registry=registry)
    requests.labels("200", 'a "b" } 7 \\ \n c').inc(3)
    requests.labels("503", "x").inc(2)
    lines = generate_latest(registry).decode().splitlines()
    odd = Counted(("model_requests_total",), never={"tenant": ('a "b" } 7 \\ \n c',)})
    kept = Counted(("model_requests_total",), where={"code": "503"})
    both, rest, bad = parse(lines, (OURS, odd, kept)).values
    assert [sum(v.values()) for v in (both, rest, bad)] == [5.0, 2.0, 2.0]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "x{ 1",
        "model_requests_total",
        "model_requests_total NaN",
        "# model_requests_total 1",
        "model_requests_total{a=} ",
        "model_requests_total +Inf",
        "model_requests_total one",
    ],
)
def test_what_is_no_count_is_left_out(line: str) -> None:
    assert parse([line], (OURS,)).values == ({},)


def test_a_time_after_the_value_is_no_part_of_it() -> None:
    (values,) = parse(["model_requests_total 5 1700000000000"], (OURS,)).values
    assert list(values.values()) == [5.0]


def test_what_the_pods_count_is_added_up_and_what_was_answered_well_beside_it() -> None:
    with serving(fixed(0.0)) as server:
        found = Tally(order(server))
        found.add(sent(200, 302, 404, 429, 503, 0))
        server.seen = 5
        counts = found.counts()
    assert (counts.sent, counts.good, counts.seen, counts.why) == (6, 1, 5, "")


def test_a_server_may_count_a_moment_after_it_has_answered() -> None:
    counts = compared("", "model_requests_total 1", "model_requests_total 3", good=3)
    assert counts.seen == 3


def test_what_had_been_counted_before_the_test_is_no_part_of_it() -> None:
    assert compared("model_requests_total 100", "model_requests_total 103", good=3).seen == 3


@pytest.mark.parametrize(
    ("first", "later", "why"),
    [
        ("model_requests_total 9", "model_requests_total 3", "restarted"),
        ("model_requests_total 9", "", "restarted"),
        (
            "process_start_time_seconds 1\nmodel_requests_total 0",
            "process_start_time_seconds 2\nmodel_requests_total 9",
            "restarted",
        ),
        ("requests 1", "requests 2", "none of the series"),
    ],
)
def test_counts_that_are_not_of_one_process_are_not_compared(
    first: str, later: str, why: str
) -> None:
    counts = compared(first, later, good=3)
    assert counts.seen is None and why in counts.why


def test_processes_that_count_each_for_itself_are_found_out_by_asking_again() -> None:
    one, two = "model_requests_total 4", "model_requests_total 5"
    counts = compared("", one, two, one, good=9)
    assert counts.seen is None and "each for itself" in counts.why


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ((404, ""), "/metrics on port [0-9]+ answers 404"),
        ((302, ""), "answers 302"),
        ((200, "x" * (MAX_BYTES + 1)), "16 MiB"),
    ],
)
def test_pods_without_readable_metrics_are_not_compared(reply: tuple[int, str], why: str) -> None:
    with serving(fixed(0.0)) as server:
        server.exposed = replying(reply)
        found = Tally(order(server))
        found.add(sent(200))
        counts = found.counts()
    assert counts.seen is None and re.search(why, counts.why)


def test_a_pod_that_is_gone_is_not_compared() -> None:
    with serving(fixed(0.0)) as server:
        found = Tally(order(server))
    counts = found.counts()
    assert counts.seen is None and "ConnectionRefusedError" in counts.why


def test_pods_are_not_read_without_a_scrape() -> None:
    with serving(fixed(0.0)) as server:
        server.exposed = replying((500, "asked"))
        asked = Order(Plan(10.0, 1.0, (), (1.0,)), (server.url,), "GET", "/", uncounted="no preset")
        assert Tally(asked).counts().why == "no preset"
