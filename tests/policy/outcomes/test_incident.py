"""When many models turn bad in one moment it is not the models; a few of them are."""

from __future__ import annotations

import pytest

from merit.api.live_status import Alarm
from merit.api.status import Candidate, FlowStage, Status
from merit.policy.outcomes.incident import may_hold, may_trip, outcome, trips
from merit.policy.state.times import stamp

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


def test_a_bad_one_of_a_large_fleet_waits_for_a_part_of_it_only() -> None:
    assert outcome(1, 900, 1000) == "wait"
    assert outcome(1, 800, 1000) == "act"
    assert outcome(30, 800, 1000) == "wait"
    assert outcome(150, 100, 1000) == "wait"


def test_what_is_held_is_told_by_its_own_status_so_that_a_restart_does_not_begin_anew() -> None:
    told = FlowStage(stage="Rollout", verdict="Undecided", reason="FleetIncident", at=stamp(NOW))
    candidate = Candidate(
        revision="h1:a", short="a", policy="b", version="1", stage="Rollout", since=stamp(NOW)
    )
    status = Status(flow=(told,), candidate=candidate)
    assert not may_trip(status, NOW)
    assert may_hold(status, NOW + 599) and not may_hold(status, NOW + 600)
    alarm = Alarm(signal="errors", reason="E", message="m", at=stamp(NOW), held="FleetIncident")
    assert not may_trip(Status(alarm=alarm), NOW)
    assert may_trip(Status(), NOW) and may_hold(Status(), NOW)
