"""Users' queries: one for a text, a number of the answer and nothing else, within a budget."""

from __future__ import annotations

import asyncio
import math

import pytest

from merit.prometheus import queries
from merit.prometheus.answer import Answer, Series, parse
from merit.prometheus.queries import Queries
from merit.stats.counts import NoSample


class OneAnswer:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer = Answer((Series({"secret": "label"}, ((100.0, 41.5),)),))

    async def instant(self, query: str, at: float | None = None) -> Answer:
        self.asked.append(query)
        return self.answer


async def test_a_text_is_sent_once_for_all_objects_and_its_values_are_kept_in_order():
    source = OneAnswer()
    reader = Queries(source)
    for _ in range(500):
        assert isinstance(reader.readings("sum(x)", "risk", 0.0), NoSample)
    for turn, at in enumerate((100.0, 130.0, 130.0, 160.0)):
        source.answer = Answer((Series({}, ((at, at / 10),)),))
        await reader.round(float(turn))
    assert source.asked == ["sum(x)"] * 4
    assert reader.readings("sum(x)", "risk", 160.0) == ((100.0, 10.0), (130.0, 13.0), (160.0, 16.0))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(reason="MetricsLost", message="parse error: <secret>"), "QueryFailed"),
        (Answer(), "NoSeries"),
        (Answer((Series({"a": "secret"}, ((1.0, 1.0),)), Series({}, ((1.0, 2.0),)))), "ManySeries"),
        (Answer((Series({"a": "secret"}, ()),)), "NotANumber"),
    ],
    ids=["an error", "nothing", "two series", "not a number"],
)
async def test_no_text_of_an_answer_is_passed_on(answer, reason):
    source = OneAnswer()
    source.answer = answer
    reader = Queries(source)
    reader.readings("x", "risk", 0.0)
    await reader.round(0.0)
    problem = reader.readings("x", "risk", 0.0)
    assert isinstance(problem, NoSample) and problem.reason == reason
    assert "secret" not in problem.message


@pytest.mark.parametrize(("text", "value"), [("+Inf", math.inf), ("-Inf", -math.inf)])
@pytest.mark.parametrize("kind", ["vector", "scalar"])
async def test_an_infinite_value_is_a_value(kind, text, value):
    point = [100.0, text]
    result = point if kind == "scalar" else [{"metric": {}, "value": point}]
    source = OneAnswer()
    source.answer = parse({"data": {"resultType": kind, "result": result}})
    reader = Queries(source)
    reader.readings("x", "risk", 0.0)
    await reader.round(0.0)
    assert reader.readings("x", "risk", 0.0) == ((100.0, value),)


async def test_not_a_number_is_no_value():
    source = OneAnswer()
    result = [{"metric": {}, "value": [100.0, "NaN"]}]
    source.answer = parse({"data": {"resultType": "vector", "result": result}})
    reader = Queries(source)
    reader.readings("x", "risk", 0.0)
    await reader.round(0.0)
    problem = reader.readings("x", "risk", 0.0)
    assert isinstance(problem, NoSample) and problem.reason == "NotANumber"


async def test_a_value_that_was_not_renewed_for_five_minutes_is_lost():
    reader = Queries(OneAnswer())
    reader.readings("x", "risk", 0.0)
    await reader.round(0.0)
    assert reader.readings("x", "risk", 300.0) == ((100.0, 41.5),)
    lost = reader.readings("x", "risk", 301.0)
    assert isinstance(lost, NoSample) and lost.reason == "MetricsLost"


async def test_more_queries_than_the_budget_take_turns(monkeypatch):
    monkeypatch.setattr(queries, "MAX_PER_ROUND", 3)
    source = OneAnswer()
    reader = Queries(source)
    for i in range(7):
        reader.readings(f"x{i}", "risk", 0.0)
    for now in (1.0, 2.0, 3.0):
        await reader.round(now)
        assert len(source.asked) == 3 * now
    assert {*source.asked} == {f"x{i}" for i in range(7)}


async def test_a_query_that_is_no_longer_read_is_no_longer_sent():
    source = OneAnswer()
    reader = Queries(source)
    reader.readings("x", "risk", 0.0)
    await reader.round(queries.FORGET - 1)
    assert len(source.asked) == 1
    await reader.round(queries.FORGET)
    assert len(source.asked) == 1


class Slow:
    """Never answers a query that begins with slow."""

    def __init__(self) -> None:
        self.answered: list[str] = []
        self.waiting = 0
        self.at_once = 0

    async def instant(self, query: str, at: float | None = None) -> Answer:
        if query.startswith("slow"):
            self.waiting += 1
            self.at_once = max(self.at_once, self.waiting)
            try:
                await asyncio.Event().wait()
            finally:
                self.waiting -= 1
        self.answered.append(query)
        return Answer((Series({}, ((100.0, 1.0),)),))


async def test_slow_queries_of_one_namespace_delay_no_other_and_only_it_is_told(monkeypatch):
    monkeypatch.setattr(queries, "BUDGET", 0.2)
    source = Slow()
    reader = Queries(source)
    for i in range(200):
        reader.readings(f"slow{i}", "other", 0.0)
    reader.readings("sum(leaks)", "risk", 0.0)
    round_ = asyncio.create_task(reader.round(1.0))
    while "sum(leaks)" not in source.answered and not round_.done():
        await asyncio.sleep(0)
    assert source.answered == ["sum(leaks)"]
    assert source.at_once == 1  # of one namespace one query at a time
    assert reader.readings("sum(leaks)", "risk", 1.0) == ((100.0, 1.0),)
    await round_
    waits = reader.readings("slow0", "other", 1.0)
    assert isinstance(waits, NoSample) and "this namespace" in waits.message


async def test_many_namespaces_with_slow_queries_leave_a_round_of_bounded_length(monkeypatch):
    monkeypatch.setattr(queries, "BUDGET", 0.05)
    source = Slow()
    reader = Queries(source)
    for i in range(50):
        reader.readings(f"slow{i}", f"team-{i}", 0.0)
    await reader.round(1.0)
    assert source.at_once <= queries.CONCURRENCY


async def test_a_query_of_two_namespaces_is_sent_once_a_round():
    source = OneAnswer()
    reader = Queries(source)
    for namespace in ("a", "b"):
        reader.readings("x", namespace, 0.0)
    await reader.round(1.0)
    assert source.asked == ["x"]
