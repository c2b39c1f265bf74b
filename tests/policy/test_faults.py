"""Whose fault it is when pods end: only what is clearly beyond stable's own rate is blamed."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from merit.policy.canary.case import Case
from merit.policy.canary.faults import fault, never_ready
from merit.policy.observed import Arm


def case(mine: Arm, stable: Arm | None = None) -> Case:
    """As much of a case as pods are judged from."""
    serving = SimpleNamespace(short="0000aaaa") if stable else None
    seen = SimpleNamespace(arms={"0000aaaa": stable} if stable else {})
    found: Any = SimpleNamespace(arm=mine, seen=seen, status=SimpleNamespace(stable=serving))
    return cast(Case, found)


MINE = Arm(short="1111bbbb", exists=True, desired=8, ready=8)
STABLE = Arm(short="0000aaaa", exists=True, desired=8, ready=8)


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
    assert (fault(case(mine, replace(STABLE, crashed=stable))) is not None) is blamed


def test_what_the_platform_lacks_is_never_blamed_on_the_model() -> None:
    late = replace(MINE, ready=0, deadline_exceeded=True)
    assert never_ready(case(late, STABLE)) is not None
    assert never_ready(case(replace(late, blocked="no node"), STABLE)) is None
    assert never_ready(case(late, replace(STABLE, ready=0))) is None
    assert never_ready(case(replace(late, ready=1), STABLE)) is None
