"""The circuit breaker counts, over one poll, how many objects turn bad, before any acts."""

from __future__ import annotations

from merit.kube.cache import Key
from merit.reconciler.breaker import LONGEST, STALLED, CircuitBreaker

NOW = 1_800_000_000.0


def keys(count: int) -> list[Key]:
    return [Key("risk", f"model-{i}") for i in range(count)]


def test_nothing_acts_before_all_are_counted_and_then_all_are_held_for_ten_minutes() -> None:
    breaker, names = CircuitBreaker(), keys(12)
    breaker.begin("models", names, NOW)
    said = [breaker.vote(key, bad=True, now=NOW + 0.1) for key in names]
    assert said == ["wait"] * 9 + ["hold"] * 3
    assert all(breaker.vote(key, bad=True, now=NOW + 0.2) == "hold" for key in names)
    assert breaker.incident(NOW + 1) == "10 of 12 models turned bad in one poll"
    assert breaker.trips == 1
    assert not breaker.incident(NOW + 601)
    breaker.begin("models", names, NOW + 601)
    assert breaker.vote(names[0], bad=False, now=NOW + 601) == "act"


def test_nine_of_twelve_that_are_bad_act_when_the_others_have_been_counted() -> None:
    breaker, names = CircuitBreaker(), keys(12)
    breaker.begin("models", names, NOW)
    assert all(breaker.vote(key, bad=True, now=NOW) == "wait" for key in names[:9])
    assert [breaker.vote(key, bad=False, now=NOW) for key in names[9:]] == ["act"] * 3
    assert all(breaker.vote(key, bad=True, now=NOW) == "act" for key in names[:9])


def test_a_look_in_which_nobody_else_is_judged_for_two_seconds_is_not_waited_for() -> None:
    breaker, names = CircuitBreaker(), keys(12)
    breaker.begin("models", names, NOW)
    assert breaker.vote(names[0], bad=True, now=NOW + 5) == "wait"
    assert breaker.vote(names[0], bad=True, now=NOW + 5 + STALLED - 0.1) == "wait"
    assert breaker.vote(names[0], bad=True, now=NOW + 5 + STALLED) == "act"


def test_a_verdict_waits_as_long_as_others_are_judged_but_ten_seconds_at_most() -> None:
    breaker, names = CircuitBreaker(), keys(150)
    breaker.begin("models", names, NOW)
    assert breaker.vote(names[0], bad=True, now=NOW) == "wait"
    for i in range(1, 20):
        assert breaker.vote(names[i], bad=False, now=NOW + i / 2) == "act"
        assert breaker.vote(names[0], bad=True, now=NOW + i / 2) == "wait"
    breaker.begin("models", names, NOW + LONGEST)  # and a look that comes meanwhile adds nothing
    assert breaker.vote(names[0], bad=True, now=NOW + LONGEST) == "act"


def test_where_there_is_no_time_to_judge_all_the_judged_tell_of_the_others() -> None:
    breaker, names = CircuitBreaker(), keys(1000)
    breaker.begin("models", names, NOW)
    assert {breaker.vote(key, bad=True, now=NOW + 1) for key in names[:60]} == {"wait"}
    assert breaker.vote(names[0], bad=True, now=NOW + 1 + STALLED) == "hold"
    assert breaker.incident(NOW + 4) == "60 of 60 models turned bad in one poll"


def test_who_waits_is_woken_by_the_verdict_that_tells_what_to_do() -> None:
    for last in (True, False):
        woken: list[Key] = []
        breaker, names = CircuitBreaker(woken.append), keys(12)
        breaker.begin("models", names, NOW)
        for key in names[:9]:
            assert breaker.vote(key, bad=True, now=NOW) == "wait"
        assert not woken
        breaker.vote(names[9], bad=last, now=NOW)
        breaker.vote(names[10], bad=last, now=NOW)
        breaker.vote(names[11], bad=last, now=NOW)
        assert sorted(woken) == sorted(names[:9])


def test_an_object_that_is_gone_is_not_waited_for() -> None:
    breaker, names = CircuitBreaker(), keys(10)
    breaker.begin("models", names, NOW)
    assert breaker.vote(names[0], bad=True, now=NOW) == "wait"
    for key in names[1:]:
        breaker.forget(key)
    assert breaker.vote(names[0], bad=True, now=NOW) == "act"


def test_without_a_look_nothing_is_counted() -> None:
    assert CircuitBreaker().vote(Key("risk", "a"), bad=True, now=NOW) == "act"
