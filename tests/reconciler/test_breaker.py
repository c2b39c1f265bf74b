"""The circuit breaker counts, of all that is exposed, how much turns bad at the same moment."""

from __future__ import annotations

from merit.kube.cache import Key
from merit.reconciler.breaker import LONGEST, RELIEVED, TOGETHER, CircuitBreaker

NOW = 1_800_000_000.0
SOURCE, WHAT = "prometheus", "models"


def keys(count: int, namespaces: int = 3) -> list[Key]:
    return [Key(f"risk-{i % namespaces}", f"model-{i}") for i in range(count)]


def test_nothing_is_blamed_before_all_are_counted_and_then_all_are_held_for_ten_minutes() -> None:
    breaker, names = CircuitBreaker(), keys(12)
    breaker.begin(SOURCE, WHAT, names, NOW)
    said = [breaker.vote(key, bad=True, now=NOW + 0.1) for key in names]
    assert said == ["wait"] * 9 + ["hold"] * 3
    assert all(breaker.vote(key, bad=True, now=NOW + 0.2) == "hold" for key in names)
    assert breaker.incident(names[0], NOW + 1) == "10 of 12 models turned bad at the same moment"
    assert (breaker.trips, breaker.incidents(NOW + 1)) == (1, 1)
    assert not breaker.incident(names[0], NOW + 601) and not breaker.incidents(NOW + 601)
    breaker.begin(SOURCE, WHAT, names, NOW + 601)
    assert breaker.vote(names[0], bad=False, now=NOW + 601) == "act"


def test_nine_of_twelve_that_are_bad_act_when_the_others_have_been_counted() -> None:
    breaker, names = CircuitBreaker(), keys(12)
    breaker.begin(SOURCE, WHAT, names, NOW)
    assert all(breaker.vote(key, bad=True, now=NOW) == "wait" for key in names[:9])
    assert [breaker.vote(key, bad=False, now=NOW) for key in names[9:]] == ["act"] * 3
    assert all(breaker.vote(key, bad=True, now=NOW) == "act" for key in names[:9])


def test_the_share_is_of_everything_exposed_and_not_of_what_is_judged_so_far() -> None:
    breaker, names = CircuitBreaker(), keys(300)
    breaker.begin(SOURCE, WHAT, names, NOW)
    assert {breaker.vote(key, bad=True, now=NOW) for key in names[:37]} == {"wait"}
    assert breaker.vote(names[0], bad=True, now=NOW + LONGEST) == "act"
    assert not breaker.trips


def test_one_tenants_bad_canaries_hold_nobody() -> None:
    breaker = CircuitBreaker()
    mine = [Key("mine", f"model-{i}") for i in range(12)]
    others = [Key("theirs", f"model-{i}") for i in range(20)]
    breaker.begin(SOURCE, WHAT, [*mine, *others], NOW)
    for key in (*mine, others[0]):
        breaker.vote(key, bad=True, now=NOW)
    for key in others[1:]:
        assert breaker.vote(key, bad=False, now=NOW) == "act"
    assert {breaker.vote(key, bad=True, now=NOW) for key in (*mine, others[0])} == {"act"}


def test_an_incident_of_one_source_holds_nothing_of_another() -> None:
    breaker, names, others = CircuitBreaker(), keys(12), [Key("other", "a"), Key("other", "b")]
    breaker.begin("broken", WHAT, names, NOW)
    breaker.begin("fine", WHAT, others, NOW)
    for key in names:
        breaker.vote(key, bad=True, now=NOW)
    assert breaker.incident(names[0], NOW) and not breaker.incident(others[0], NOW)
    assert breaker.vote(others[0], bad=True, now=NOW) == "act"


def test_what_turns_bad_in_two_polls_of_the_same_half_minute_is_counted_together() -> None:
    breaker, names = CircuitBreaker(), keys(30)
    breaker.begin(SOURCE, WHAT, names, NOW)
    for i, key in enumerate(names):
        breaker.vote(key, bad=i < 6, now=NOW)
    assert breaker.vote(names[0], bad=True, now=NOW) == "act"
    breaker.begin(SOURCE, WHAT, names[6:], NOW + 15)  # those have lost their traffic
    said = [breaker.vote(key, bad=True, now=NOW + 15) for key in names[6:10]]
    assert said == ["wait", "wait", "wait", "hold"]
    assert not TOGETHER < 15


def test_a_verdict_waits_ten_seconds_at_most_and_longer_where_no_traffic_is_left_at_it() -> None:
    breaker, names = CircuitBreaker(), keys(150)
    breaker.begin(SOURCE, WHAT, names, NOW)
    for key, relieved in ((names[0], False), (names[1], True)):
        assert breaker.vote(key, bad=True, relieved=relieved, now=NOW) == "wait"
    for i in range(5, 60, 5):
        breaker.begin(SOURCE, WHAT, names, NOW + i)
        expected = "act" if i == LONGEST else "wait"
        if i <= LONGEST:
            assert breaker.vote(names[0], bad=True, now=NOW + i) == expected
        assert breaker.vote(names[1], bad=True, relieved=True, now=NOW + i) == "wait"
    assert breaker.vote(names[1], bad=True, relieved=True, now=NOW + RELIEVED) == "act"


def test_a_restart_forgets_the_count_and_what_has_lost_its_traffic_waits_for_the_next_poll() -> (
    None
):
    breaker, names = CircuitBreaker(), keys(12)
    assert {breaker.vote(key, bad=True, relieved=True, now=NOW) for key in names} == {"wait"}
    breaker.begin(SOURCE, WHAT, names, NOW + 5)
    said = {breaker.vote(key, bad=True, relieved=True, now=NOW + 5) for key in names}
    assert said == {"wait", "hold"}
    assert CircuitBreaker().vote(names[0], bad=True, now=NOW) == "act"


def test_who_waits_is_woken_by_the_verdict_that_tells_what_to_do() -> None:
    for last in (True, False):
        woken: list[Key] = []
        breaker, names = CircuitBreaker(woken.append), keys(12)
        breaker.begin(SOURCE, WHAT, names, NOW)
        for key in names[:9]:
            assert breaker.vote(key, bad=True, now=NOW) == "wait"
        assert not woken
        breaker.vote(names[9], bad=last, now=NOW)
        breaker.vote(names[10], bad=last, now=NOW)
        breaker.vote(names[11], bad=last, now=NOW)
        assert sorted(woken) == sorted(names[:9])


def test_an_object_that_is_gone_is_not_waited_for() -> None:
    breaker, names = CircuitBreaker(), keys(10)
    breaker.begin(SOURCE, WHAT, names, NOW)
    assert breaker.vote(names[0], bad=True, now=NOW) == "wait"
    for key in names[1:]:
        breaker.forget(key)
    assert breaker.vote(names[0], bad=True, now=NOW) == "act"
