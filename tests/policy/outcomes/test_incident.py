"""When many models turn bad in one moment it is not the models; a few of them are."""

from __future__ import annotations

from collections import Counter

import pytest

from merit.api.live_status import Alarm
from merit.api.status import Candidate, FlowStage, Status
from merit.policy.outcomes.incident import may_hold, may_trip, outcome, trips
from merit.policy.state.times import stamp

NOW = 1_800_000_000.0


def spread(*counts: int) -> Counter[str]:
    return Counter({f"ns-{i}": count for i, count in enumerate(counts) if count})


@pytest.mark.parametrize(
    ("bad", "exposed", "trip"),
    [
        (spread(5, 4), spread(5, 4), False),
        (spread(5, 5), spread(5, 5), True),
        (spread(5, 5), spread(25, 25), True),
        (spread(5, 5), spread(25, 26), False),
        (spread(50, 50), spread(250, 250), True),
        (spread(12), spread(12), False),
        (spread(12, 1), spread(12, 1), False),  # one tenant's models, and a single other one
        (spread(30, 3), spread(30, 3), True),
        (spread(300, 5), spread(1000, 100), False),
    ],
)
def test_it_takes_ten_objects_a_fifth_of_all_and_a_fifth_outside_any_one_namespace(
    bad: Counter[str], exposed: Counter[str], trip: bool
) -> None:
    assert trips(bad, exposed) is trip


def test_a_small_fleet_is_never_waited_for() -> None:
    assert outcome(spread(1), spread(4, 4), spread(5, 4)) == "act"


def test_what_can_still_become_an_incident_is_waited_for_and_no_longer() -> None:
    assert outcome(spread(1), spread(9, 10), spread(10, 10)) == "wait"
    assert outcome(spread(1), spread(4, 4), spread(10, 10)) == "act"
    assert outcome(spread(5, 5), spread(5), spread(10, 10)) == "hold"


def test_what_is_held_is_told_by_its_own_status_so_that_a_restart_does_not_begin_anew() -> None:
    told = FlowStage(stage="Rollout", verdict="Undecided", reason="FleetIncident", at=stamp(NOW))
    candidate = Candidate(
        revision="h1:a",
        short="a",
        policy="b",
        version="1",
        stage="Rollout",
        weight=10,
        since=stamp(NOW),
    )
    status = Status(flow=(told,), candidate=candidate)
    assert not may_trip(status)
    assert may_hold(status, NOW + 599) and not may_hold(status, NOW + 600)
    alarm = Alarm(signal="errors", reason="E", message="m", at=stamp(NOW), held="FleetIncident")
    assert not may_trip(Status(alarm=alarm))
    assert may_trip(Status()) and may_hold(Status(), NOW)


def test_an_excused_candidate_is_held_no_second_time_and_holds_nothing_that_is_live() -> None:
    candidate = Candidate(
        revision="h1:a", short="a", policy="b", version="1", stage="Rollout", weight=10,
        since=stamp(NOW), excused=stamp(NOW - 60),
    )  # fmt: skip
    status = Status(candidate=candidate)
    assert not may_hold(status, NOW) and not may_trip(status)
    gone = candidate.model_copy(update={"stage": "Withdrawn", "weight": 0})
    live = Status(candidate=gone)
    assert may_hold(live, NOW) and may_trip(live)
