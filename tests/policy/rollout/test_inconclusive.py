"""A candidate without measurements: it waits for callers, and is withdrawn if metrics are lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from merit.api.status import Condition
from merit.policy.decide import decide
from merit.policy.state.times import stamp
from merit.stats.counts import NoSample
from tests.policy.builders import NOW, in_canary, observed, spec


@pytest.mark.parametrize(("reason", "stays"), [("NoTraffic", True), ("MetricsLost", False)])
def test_silence_of_callers_holds_for_ever_and_lost_metrics_withdraw(reason, stays):
    seen = in_canary(observed(spec()), spec())
    lost = Condition(
        type="MetricsAvailable", status="False", reason=reason,
        last_transition_time=stamp(NOW - 7200),
    )  # fmt: skip
    candidate = seen.status.candidate
    assert candidate is not None
    seen = replace(
        seen,
        status=seen.status.model_copy(update={"conditions": (lost,)}),
        measurements=replace(seen.measurements, sample=NoSample(reason, "nobody asks")),
        traffic=replace(
            seen.traffic, route=replace(seen.traffic.route, weights={candidate.short: 10})
        ),
    )
    after = decide(seen, NOW).status.candidate
    assert after is not None and (after.weight == 10) is stays


def test_metrics_that_are_lost_after_a_long_silence_have_only_just_been_lost():
    seen = in_canary(observed(spec()), spec())
    candidate = seen.status.candidate
    assert candidate is not None
    seen = replace(
        seen,
        traffic=replace(
            seen.traffic, route=replace(seen.traffic.route, weights={candidate.short: 10})
        ),
    )
    for reason, at in (("NoTraffic", NOW - 7200), ("MetricsLost", NOW - 5), ("MetricsLost", NOW)):
        decision = decide(
            replace(
                seen, measurements=replace(seen.measurements, sample=NoSample(reason, "nothing"))
            ),
            at,
        )
        seen = replace(seen, status=decision.status)
    assert seen.status.candidate is not None and seen.status.candidate.weight == 10
    decision = decide(
        replace(
            seen, measurements=replace(seen.measurements, sample=NoSample("MetricsLost", "nothing"))
        ),
        NOW + 7200,
    )
    assert decision.status.candidate is not None and decision.status.candidate.weight == 0
