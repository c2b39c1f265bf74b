"""Shares by pod count: never above what was asked for, and the nearest that pods can make."""

from hypothesis import given
from hypothesis import strategies as st

from merit.policy.state.pod_shares import left_out, pod_ladder, pods_for, share_of

WEIGHT = st.integers(1, 99)
PODS = st.integers(1, 400)


@given(WEIGHT, PODS, st.integers(1, 1000))
def test_the_share_is_the_nearest_that_is_not_above(weight: int, stable: int, most: int) -> None:
    pods = pods_for(weight, stable, most)
    assert pods <= most
    assert 100 * pods <= weight * (pods + stable)
    if pods < most:
        assert 100 * (pods + 1) > weight * (pods + 1 + stable)


@given(WEIGHT, PODS, st.integers(1, 1000))
def test_a_share_leads_back_to_its_pods(weight: int, stable: int, most: int) -> None:
    pods = pods_for(weight, stable, most)
    if pods:
        assert share_of(pods, stable) <= weight or pods == most
        assert pods_for(share_of(pods, stable), stable, pods) == pods


@given(st.lists(WEIGHT, min_size=1, max_size=8, unique=True).map(sorted), PODS, PODS)
def test_a_ladder_of_pods_rises_and_ends_with_the_holdback(
    steps: list[int], stable: int, most: int
) -> None:
    made = pod_ladder([*steps, 90], stable, most)
    assert list(made[:-1]) == sorted(set(made[:-1]))
    assert made[-1] >= made[-2] if len(made) > 1 else True
    assert len(made) - 1 + len(left_out([*steps, 90], stable, most)) == len(steps)


def test_small_steps_are_left_out_and_the_rest_is_told_as_it_is() -> None:
    assert pod_ladder((1, 5, 10, 25, 50, 90), 4, 8) == (20, 50, 67)
    assert left_out((1, 5, 10, 25, 50, 90), 4, 8) == (1, 5, 10)
    assert pod_ladder((50, 90), 2, 2) == (50, 50)
    assert pod_ladder((25, 90), 1, 1) == (50,)
