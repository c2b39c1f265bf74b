"""Whose fault it is when pods end: only what is clearly beyond stable's own rate is blamed."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from merit.policy.rollout.pod_failures import fault, never_ready
from merit.policy.state.context import RolloutContext
from merit.policy.state.observed import RevisionPods


def context(mine: RevisionPods, stable: RevisionPods | None = None) -> RolloutContext:
    """As much of a context as pods are judged from."""
    serving = SimpleNamespace(short="0000aaaa") if stable else None
    seen = SimpleNamespace(pods_of=lambda short: stable)
    found: Any = SimpleNamespace(pods=mine, seen=seen, status=SimpleNamespace(stable=serving))
    return cast(RolloutContext, found)


MINE = RevisionPods(short="1111bbbb", exists=True, desired=8, ready=8)
STABLE = RevisionPods(short="0000aaaa", exists=True, desired=8, ready=8)


@pytest.mark.parametrize(
    ("pods", "crashed", "restarts", "stable", "blamed"),
    [
        (8, 0, 0, 0, False),
        (8, 1, 1, 0, False),  # one in eight
        (8, 2, 2, 0, False),
        (8, 3, 3, 0, True),
        (8, 3, 3, 2, False),  # stable loses as many, nearly
        (8, 8, 16, 8, False),
        (40, 3, 3, 0, False),  # several, and yet a small part
        (40, 10, 10, 0, True),
        (2, 1, 1, 0, False),
        (2, 2, 2, 0, True),
        (1, 1, 1, 0, False),  # once is nothing
        (1, 1, 2, 0, True),
        (1, 1, 5, 8, False),
    ],
)
def test_pods_are_blamed_beyond_stables_own_rate(
    pods: int, crashed: int, restarts: int, stable: int, blamed: bool
) -> None:
    mine = replace(MINE, desired=pods, crashed=crashed, restarts=restarts)
    assert (fault(context(mine, replace(STABLE, crashed=stable))) is not None) is blamed


def test_what_the_platform_lacks_is_never_blamed_on_the_model() -> None:
    late = replace(MINE, ready=0, deadline_exceeded=True)
    assert never_ready(context(late, STABLE)) is not None
    assert never_ready(context(replace(late, blocked="no node"), STABLE)) is None
    assert never_ready(context(late, replace(STABLE, ready=0))) is None
    assert never_ready(context(replace(late, ready=1), STABLE)) is None
