"""The operator is killed in mid-canary: the outcome is the same, and no customer notices."""

from __future__ import annotations

import pytest

from e2e.demo.setting import Setting
from e2e.suite.operators import Operators
from e2e.suite.place import Place


@pytest.fixture
def operators(setting: Setting) -> Operators:
    return Operators(setting.kubectl, setting.on)


def test_both_replicas_killed_twice_in_mid_canary_change_nothing(
    place: Place, operators: Operators
) -> None:
    before = place.serve("good")
    place.model.apply("better")
    seen = place.exposed("better")
    for _ in range(2):
        entered = seen["status"]["candidate"]["weight"]
        assert operators.kill() == 2
        seen = place.exposed("better", least=entered + 1)
    place.live("better")
    after = place.settled()
    assert after.failed == before.failed, after.last_error
    assert after.of("better")[0] > 0
    assert len(place.model.jobs()) <= 1
    promotions = [d for d in place.model.seen()["status"]["decisions"] if "promoted" in d["what"]]
    assert len(promotions) == 2  # good, better: nothing was decided twice


def test_a_replica_that_is_asked_to_stop_gives_the_lease_to_the_other(
    setting: Setting, operators: Operators
) -> None:
    first = operators.led()
    pod = first.rpartition("-")[0]
    setting.kubectl("-n", "merit-system", "delete", "pod", pod, "--wait=false")
    second = operators.changed(first, seconds=10)
    assert second != first
