"""The plan of a load test: how a stage is judged, and which one comes next."""

from __future__ import annotations

import pytest

from merit.loadtest.plan import (
    BUDGET,
    LEAST,
    Bar,
    Plan,
    Stage,
    next_stage,
    stage_verdict,
    surely_bad,
)

PLAN = Plan(120.0, 60.0, (Bar("latency.p99", 0.01, 120.0), Bar("errors", 0.01)), (60.0, 120.0))


def stage(rps: float, s: float, slow: int = 0, failed: int = 0, sent: int = 7200) -> Stage:
    return Stage(
        rps, s, sent, sent, sent - failed, failed, (sent - slow - failed, 0, slow + failed)
    )


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (stage(120, 60), "Good"),
        (stage(120, 60, slow=57), "Good"),  # 0.79 %, with 95 % at most 1 %
        (stage(120, 60, slow=58), "Undecided"),
        (stage(120, 60, slow=72), "Undecided"),
        (stage(120, 60, slow=86), "Undecided"),
        (stage(120, 60, slow=87), "Bad"),
        (stage(120, 60, failed=100), "Bad"),
        (stage(120, 60, sent=298), "Undecided"),
        (stage(120, 60, sent=299), "Good"),
        (stage(120, 60, sent=0), "Undecided"),
    ],
)
def test_a_stage_is_judged_by_exact_bounds(found: Stage, verdict: str) -> None:
    assert stage_verdict(found, PLAN.le, PLAN.bars) == verdict


def test_a_limit_between_two_edges_is_judged_at_the_lower_one() -> None:
    between = Stage(120, 60, 7200, 7200, 7200, 0, (7000, 200, 0))
    assert stage_verdict(between, PLAN.le, (Bar("latency.p99", 0.01, 119.0),)) == "Bad"
    assert stage_verdict(between, PLAN.le, (Bar("latency.p99", 0.01, 120.0),)) == "Good"


SLOW, UNSURE, FINE = {"slow": 7200}, {"slow": 72}, {"slow": 0}


@pytest.mark.parametrize(
    ("gone", "following"),
    [
        ([], (120.0, 60.0)),
        ([stage(120, 60, **FINE)], None),
        ([stage(120, 60, **SLOW)], (60.0, 60.0)),
        ([stage(120, 60, **UNSURE)], (120.0, 120.0)),
        ([stage(120, 60, **UNSURE), stage(120, 120, **UNSURE)], (60.0, 60.0)),
        ([stage(120, 60, **UNSURE), stage(120, 120, **FINE)], None),
        ([stage(120, 60, **SLOW), stage(60, 60, **UNSURE)], (30.0, 60.0)),
        ([stage(120, 60, **SLOW), stage(7.5, 60, **UNSURE)], (7.5, 120.0)),
        ([stage(120, 60, **SLOW), stage(7.5, 60, **UNSURE), stage(7.5, 120, **UNSURE)], None),
        ([stage(120 / 2**k, 60, **SLOW) for k in range(5)], None),
        ([stage(120, 560, **SLOW)], None),  # no time is left
    ],
)
def test_the_next_stage(gone: list[Stage], following: tuple[float, float] | None) -> None:
    assert next_stage(PLAN, gone) == following


@pytest.mark.parametrize(
    ("failed", "beyond", "ends"), [(0, 0, False), (9, 9, False), (10, 10, True), (0, 10, True)]
)
def test_a_stage_ends_early_only_when_it_is_bad_whatever_is_to_come(
    failed: int, beyond: int, ends: bool
) -> None:
    assert surely_bad(failed=failed, beyond=beyond, due=500, bars=PLAN.bars) is ends
    rest = stage(50, 10, slow=beyond - failed, failed=failed, sent=500)
    assert (stage_verdict(rest, PLAN.le, PLAN.bars) == "Bad") is ends


def test_a_stage_has_enough_requests_for_its_strictest_bar() -> None:
    assert PLAN.stage_seconds(5.0) == LEAST / 5
    strict = Plan(10.0, 10.0, (Bar("errors", 0.001),), (100.0,))
    assert strict.stage_seconds(10.0) * 10 >= 5000
    assert next_stage(Plan(1.0, 10.0, (Bar("errors", 0.001),), (100.0,)), []) == (1.0, BUDGET)


def test_the_warm_up_is_half_a_stage_and_at_most_thirty_seconds() -> None:
    assert Plan(1.0, 10.0, (), ()).warmup == 5.0
    assert Plan(1.0, 600.0, (), ()).warmup == 30.0


def test_an_unanswered_request_is_given_ten_times_the_limit() -> None:
    assert PLAN.timeout == 5.0
    assert Plan(1.0, 1.0, (Bar("latency.p50", 0.5, 900.0),), ()).timeout == 9.0
