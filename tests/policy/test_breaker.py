"""When many models turn bad in one moment it is not the models; a few of them are."""

from __future__ import annotations

import pytest

from merit.api.status import Candidate, FlowStage, Status
from merit.api.watched import Alarm
from merit.cluster.cache import Key
from merit.policy.times import stamp
from merit.policy.watch.breaker import may_hold, outcome, trips, turns
from merit.reconciler.breaker import LONGEST, STALLED, Breaker

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("bad", "size", "trip"),
    [(9, 9, False), (10, 10, True), (10, 50, True), (10, 51, False), (100, 500, True)],
)
def test_it_takes_ten_objects_and_a_fifth_of_those_that_are_judged(
    bad: int, size: int, trip: bool
) -> None:
    assert trips(bad, size) is trip


def test_a_small_fleet_is_never_waited_for() -> None:
    assert outcome(1, 8, 9) == "act"


def test_what_can_still_become_an_incident_is_waited_for_and_no_longer() -> None:
    assert outcome(1, 19, 20) == "wait"
    assert outcome(1, 8, 20) == "act"
    assert outcome(10, 5, 20) == "hold"


def keys(count: int) -> list[Key]:
    return [Key("risk", f"model-{i}") for i in range(count)]


def test_nothing_acts_before_all_are_counted_and_then_all_are_held_for_ten_minutes() -> None:
    breaker, names = Breaker(), keys(12)
    breaker.begin("models", names, NOW)
    said = [breaker.vote(key, bad=True, now=NOW + 0.1) for key in names]
    assert said == ["wait"] * 9 + ["hold"] * 3
    assert all(breaker.vote(key, bad=True, now=NOW + 0.2) == "hold" for key in names)
    assert breaker.incident(NOW + 1) == "10 of 12 models turned bad in one look"
    assert breaker.trips == 1
    assert not breaker.incident(NOW + 601)
    breaker.begin("models", names, NOW + 601)
    assert breaker.vote(names[0], bad=False, now=NOW + 601) == "act"


def test_nine_of_twelve_that_are_bad_act_when_the_others_have_been_counted() -> None:
    breaker, names = Breaker(), keys(12)
    breaker.begin("models", names, NOW)
    assert all(breaker.vote(key, bad=True, now=NOW) == "wait" for key in names[:9])
    assert [breaker.vote(key, bad=False, now=NOW) for key in names[9:]] == ["act"] * 3
    assert all(breaker.vote(key, bad=True, now=NOW) == "act" for key in names[:9])


def test_a_look_in_which_nobody_else_is_judged_for_two_seconds_is_not_waited_for() -> None:
    breaker, names = Breaker(), keys(12)
    breaker.begin("models", names, NOW)
    assert breaker.vote(names[0], bad=True, now=NOW + 5) == "wait"
    assert breaker.vote(names[0], bad=True, now=NOW + 5 + STALLED - 0.1) == "wait"
    assert breaker.vote(names[0], bad=True, now=NOW + 5 + STALLED) == "act"


def test_a_verdict_waits_as_long_as_others_are_judged_but_ten_seconds_at_most() -> None:
    breaker, names = Breaker(), keys(150)
    breaker.begin("models", names, NOW)
    assert breaker.vote(names[0], bad=True, now=NOW) == "wait"
    for i in range(1, 20):
        assert breaker.vote(names[i], bad=False, now=NOW + i / 2) == "act"
        assert breaker.vote(names[0], bad=True, now=NOW + i / 2) == "wait"
    breaker.begin("models", names, NOW + LONGEST)  # and a look that comes meanwhile adds nothing
    assert breaker.vote(names[0], bad=True, now=NOW + LONGEST) == "act"


def test_where_there_is_no_time_to_judge_all_the_judged_tell_of_the_others() -> None:
    breaker, names = Breaker(), keys(1000)
    breaker.begin("models", names, NOW)
    assert {breaker.vote(key, bad=True, now=NOW + 1) for key in names[:60]} == {"wait"}
    assert breaker.vote(names[0], bad=True, now=NOW + 1 + STALLED) == "hold"
    assert breaker.incident(NOW + 4) == "60 of 60 models turned bad in one look"


def test_a_bad_one_of_a_large_fleet_waits_for_a_part_of_it_only() -> None:
    assert outcome(1, 900, 1000) == "wait"
    assert outcome(1, 800, 1000) == "act"
    assert outcome(30, 800, 1000) == "wait"
    assert outcome(150, 100, 1000) == "wait"


def test_who_waits_is_woken_by_the_verdict_that_tells_what_to_do() -> None:
    for last in (True, False):
        breaker, names = Breaker(), keys(12)
        woken: list[Key] = []
        breaker.wake = woken.append
        breaker.begin("models", names, NOW)
        for key in names[:9]:
            assert breaker.vote(key, bad=True, now=NOW) == "wait"
        assert not woken
        breaker.vote(names[9], bad=last, now=NOW)
        breaker.vote(names[10], bad=last, now=NOW)
        breaker.vote(names[11], bad=last, now=NOW)
        assert sorted(woken) == sorted(names[:9])


def test_an_object_that_is_gone_is_not_waited_for() -> None:
    breaker, names = Breaker(), keys(10)
    breaker.begin("models", names, NOW)
    assert breaker.vote(names[0], bad=True, now=NOW) == "wait"
    for key in names[1:]:
        breaker.forget(key)
    assert breaker.vote(names[0], bad=True, now=NOW) == "act"


def test_without_a_look_nothing_is_counted() -> None:
    assert Breaker().vote(Key("risk", "a"), bad=True, now=NOW) == "act"


def test_what_is_held_is_told_by_its_own_status_so_that_a_restart_does_not_begin_anew() -> None:
    told = FlowStage(stage="Rollout", verdict="Undecided", reason="FleetIncident", at=stamp(NOW))
    candidate = Candidate(
        revision="h1:a", short="a", policy="b", version="1", stage="Rollout", since=stamp(NOW)
    )
    status = Status(flow=(told,), candidate=candidate)
    assert not turns(status, NOW)
    assert may_hold(status, NOW + 599) and not may_hold(status, NOW + 600)
    alarm = Alarm(signal="errors", reason="E", message="m", at=stamp(NOW), held="FleetIncident")
    assert not turns(Status(alarm=alarm), NOW)
    assert turns(Status(), NOW) and may_hold(Status(), NOW)
