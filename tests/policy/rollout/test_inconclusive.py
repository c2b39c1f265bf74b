"""A candidate without measurements: it waits for callers, and is withdrawn if metrics are lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from merit.api.status import Condition, Signal
from merit.policy.decide import decide
from merit.policy.report.alerts import alerts
from merit.policy.state.observed import Observed
from merit.policy.state.times import stamp
from merit.stats.counts import NoSample
from tests.policy.builders import (
    NOW,
    canary,
    in_canary,
    observed,
    spec,
    with_parts,
    with_pods,
    with_status,
)
from tests.policy.situations import leaking, leaks, short_of, starting

LOST = {"signals/leaks": NoSample("NoSeries", "the query returns nothing")}


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


def late(choice: str, raw: dict[str, Any] | None = None, **parts: Any) -> Observed:
    """A canary that has gone on for two hours, and what is to happen after one."""
    raw = raw or spec()
    raw["rollout"] = {**raw.get("rollout", {}), "onInconclusive": choice}
    return canary(raw, rollout_since=stamp(NOW - 7200), since=stamp(NOW - 600), **parts)


def with_too_few_pods(seen: Observed, **pods: Any) -> Observed:
    return with_pods(seen, short_of(seen), desired=4, **{"ready": 0} | pods)


ENDS = [("Hold", 10, False), ("Withdraw", 0, False), ("Promote", 0, False), ("Rollback", 0, True)]


@pytest.mark.parametrize(("choice", "weight", "rejects"), ENDS)
def test_too_few_ready_pods_are_inconclusive_at_max_duration(choice, weight, rejects):
    raw = spec(constraints__scale={"rps": 100, "replicas": {"min": 8, "max": 8}})
    seen = with_too_few_pods(late(choice, raw, step=4), ready=1, looping=1)
    status = decide(seen, NOW).status
    assert bool(status.rejected) is rejects
    assert (status.candidate.weight if status.candidate else 0) == weight
    assert status.stable == seen.status.stable  # the capacity for all traffic is not there
    assert status.stage("Rollout").reason == "Inconclusive"
    if status.candidate is not None:
        names = {alert.labels["alertname"] for alert in alerts(seen, status, NOW)}
        assert "MeritInconclusive" in names


@pytest.mark.parametrize(("choice", "weight"), [(c, w) for c, w, _ in ENDS])
def test_pods_without_a_node_reject_no_candidate_at_max_duration(choice, weight):
    raw = spec(constraints__scale={"rps": 100, "replicas": {"min": 8, "max": 8}})
    seen = with_too_few_pods(
        late(choice, raw, step=4), ready=1, blocked="no node", blocked_by="Unschedulable"
    )
    status = decide(seen, NOW).status
    assert status.candidate is not None and status.candidate.weight == weight
    assert not status.rejected and status.stable == seen.status.stable


@pytest.mark.parametrize("stage", ["Rollout", "Holdback"])
@pytest.mark.parametrize("choice", ["Hold", "Withdraw", "Promote", "Rollback"])
@pytest.mark.parametrize("response", ["Hold", "Rollback"])
@pytest.mark.parametrize("since", [3600, 60])
def test_a_signal_without_data_is_never_promoted_past_and_rejects_nothing(
    response, choice, stage, since
):
    lost = Signal(name="signals/leaks", verdict="NoData", at=stamp(NOW - since))
    raw = leaking(response)
    raw["rollout"] = {**raw["rollout"], "holdback": {"duration": "1m"}}
    seen = with_status(late(choice, raw, stage=stage), signals=(lost,))
    status = decide(with_parts(seen, readings=LOST), NOW).status
    stays = since == 60 or choice == "Hold"
    assert status.candidate is not None and status.candidate.weight == (10 if stays else 0)
    assert not status.rejected and status.stable == seen.status.stable


@pytest.mark.parametrize("response", ["Hold", "Rollback"])
def test_a_candidate_enters_no_step_and_is_not_promoted_while_a_signal_has_no_data(response):
    raw = leaking(response)
    raw["rollout"] = {**raw["rollout"], "holdback": {"duration": "1m"}}
    seen = canary(raw, stage="Holdback", since=stamp(NOW - 600), rollout_since=stamp(NOW - 900))
    measured = decide(leaks(seen, 0.0, 0.0), NOW).status
    assert measured.stable is not None and measured.stable.version == "3"
    silent = decide(with_parts(seen, readings=LOST), NOW).status
    assert silent.stable == seen.status.stable
    assert silent.stage("Rollout").reason == "SignalLost"


@pytest.mark.parametrize("stage", ["Rollout", "Holdback"])
def test_a_bar_that_cannot_be_measured_lets_no_candidate_enter_and_none_be_promoted(stage):
    seen = starting()
    if stage == "Holdback":
        seen = canary(stage=stage, since=stamp(NOW - 9000), rollout_since=stamp(NOW - 9000))
    gone = {"latency/p99": NoSample("NoSeries", "latency/p99: no histogram")}
    seen = with_parts(seen, sample=replace(seen.measurements.sample, lost=gone))
    status = decide(seen, NOW).status
    assert status.stable == seen.status.stable
    assert status.candidate is None or status.candidate.weight <= seen.status.candidate.weight
    assert status.stage("Rollout").message.endswith("latency/p99: no histogram")


def test_a_bound_without_a_bucket_edge_holds_and_is_said_and_alerted_of():
    edge = {"latency/p99": NoSample("NoBucketEdge", "latency/p99: no edge")}
    seen = canary(rollout_since=stamp(NOW - 900), since=stamp(NOW - 900))
    seen = with_parts(seen, sample=replace(seen.measurements.sample, lost=edge))
    status = decide(seen, NOW).status
    assert status.candidate is not None and status.candidate.weight == 10
    available = status.condition("MetricsAvailable")
    assert (available.status, available.reason) == ("False", "NoBucketEdge")
    found = {alert.labels["alertname"] for alert in alerts(seen, status, NOW + 600)}
    assert "MeritMetricsLost" in found


def test_a_signal_that_the_source_does_not_take_is_said_at_acceptance_and_keeps_traffic_away():
    seen = starting()
    assert decide(seen, NOW).status.candidate.weight > 0
    raw = leaking("Hold")
    waiting = canary(raw, weight=0, step=0, rollout_since="")
    waiting = replace(waiting, tuning=replace(waiting.tuning, takes_queries=False))
    status = decide(waiting, NOW).status
    assert status.candidate.weight == 0 and status.stage("Rollout").reason == "SignalLost"
    declared = with_status(waiting, candidate=None)
    notes = {note.reason: note.message for note in decide(declared, NOW).notes}
    assert "signals/leaks" in notes["QueriesClosed"]
