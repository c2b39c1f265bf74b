from __future__ import annotations

import math

import pytest

from merit.stats.streak import GAP, Streak, Threshold

PATIENCE = 30.0
AT_MOST = Threshold(most=0.02)


def after(values, *, step=15.0, threshold=AT_MOST):
    streak = Streak()
    for i, value in enumerate(values):
        streak = streak.add(threshold.beyond(value), 1000.0 + i * step)
    return streak


def test_three_values_that_span_the_patience_break_the_bar_and_two_do_not():
    assert after([0.03, 0.03, 0.03]).breaks(AT_MOST, PATIENCE)
    assert not after([0.03, 0.03]).breaks(AT_MOST, PATIENCE)
    assert not after([0.03] * 3, step=5.0).breaks(AT_MOST, PATIENCE)
    assert after([0.03] * 7, step=5.0).breaks(AT_MOST, PATIENCE)


def test_one_value_inside_the_bar_begins_anew():
    assert not after([0.03, 0.03, 0.01, 0.03, 0.03]).breaks(AT_MOST, PATIENCE)


@pytest.mark.parametrize("nothing", [None, math.nan])
def test_a_missing_value_is_neither_a_break_nor_a_recovery(nothing):
    assert after([0.03, 0.03, nothing, 0.03]).breaks(AT_MOST, PATIENCE)
    assert not after([nothing] * 50).breaks(AT_MOST, PATIENCE)


def test_values_from_before_a_long_gap_are_forgotten():
    streak = after([0.03, 0.03])
    later = streak.add(True, streak.last + GAP + 1)
    assert later.values == 1 and not later.breaks(AT_MOST, PATIENCE)


def test_the_same_instant_twice_is_one_value():
    streak = after([0.03])
    assert streak.add(True, streak.last) == streak


def test_where_nothing_is_tolerated_one_event_is_enough():
    none = Threshold(most=0.0)
    assert after([0.0, 1.0], threshold=none).breaks(none, PATIENCE)
    assert not after([0.0, 0.0, 0.0], threshold=none).breaks(none, PATIENCE)


def test_a_lower_bound_works_the_same():
    at_least = Threshold(least=40.0)
    assert after([39.0] * 3, threshold=at_least).breaks(at_least, PATIENCE)
    assert not after([41.0] * 3, threshold=at_least).breaks(at_least, PATIENCE)
