"""Users' queries: one for a text, a number of the answer and nothing else, within a budget."""

from __future__ import annotations

import pytest

from merit.evidence.counts import NoSample
from merit.metrics import queries
from merit.metrics.answer import Answer, Series
from merit.metrics.queries import Queries


class Canned:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer = Answer((Series({"secret": "label"}, ((100.0, 41.5),)),))

    async def instant(self, query: str, at: float | None = None) -> Answer:
        self.asked.append(query)
        return self.answer


async def test_a_text_is_asked_once_for_everybody_and_its_values_are_kept_in_order():
    source = Canned()
    eyes = Queries(source)
    for _ in range(500):
        assert isinstance(eyes.readings("sum(x)", 0.0), NoSample)
    for at in (100.0, 130.0, 130.0, 160.0):
        source.answer = Answer((Series({}, ((at, at / 10),)),))
        await eyes.round(at)
    assert source.asked == ["sum(x)"] * 4
    assert eyes.readings("sum(x)", 160.0) == ((100.0, 10.0), (130.0, 13.0), (160.0, 16.0))


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
async def test_no_word_of_an_answer_goes_on(answer, reason):
    source = Canned()
    source.answer = answer
    eyes = Queries(source)
    eyes.readings("x", 0.0)
    await eyes.round(0.0)
    told = eyes.readings("x", 0.0)
    assert isinstance(told, NoSample) and told.reason == reason and "secret" not in told.message


async def test_more_queries_than_the_budget_take_turns(monkeypatch):
    monkeypatch.setattr(queries, "MOST", 3)
    source = Canned()
    eyes = Queries(source)
    for i in range(7):
        eyes.readings(f"x{i}", 0.0)
    for now in (1.0, 2.0, 3.0):
        assert await eyes.round(now) == 3
    assert {*source.asked} == {f"x{i}" for i in range(7)}


async def test_what_nobody_asks_for_any_more_is_not_sent():
    source = Canned()
    eyes = Queries(source)
    eyes.readings("x", 0.0)
    assert await eyes.round(queries.FORGOTTEN - 1) == 1
    assert await eyes.round(queries.FORGOTTEN) == 0
