"""Which alert follows from which state, case by case; whole stories are in tests/scenarios."""

from __future__ import annotations

from dataclasses import replace

import pytest

from merit.api.live_status import Alarm, Retraining
from merit.api.status import Candidate, Condition, FlowStage, Signal, Status
from merit.api.validation import Invalid
from merit.policy.report.alerts import alerts
from merit.policy.state.observed import Observed
from merit.policy.state.times import stamp
from tests.api.manifests import put
from tests.policy.builders import NOW, observed, with_parts

AGO = stamp(NOW - 600)


def condition(kind: str, word: str, reason: str) -> Condition:
    return Condition(
        type=kind, status=word, reason=reason, message="said", last_transition_time=AGO
    )


def sent(seen: Observed, **status: object) -> dict[str, dict[str, str]]:
    after = seen.status.model_copy(update=status)
    return {a.labels["alertname"]: dict(a.labels) for a in alerts(seen, after, NOW)}


@pytest.mark.parametrize(
    ("conditions", "name", "severity"),
    [
        ((condition("Bypassed", "True", "Bypassed"),), "MeritBypassed", "warning"),
        ((condition("Stalled", "True", "OwnershipConflict"),), "MeritOwnershipConflict", "warning"),
        ((condition("MetricsAvailable", "False", "NoSeries"),), "MeritMetricsLost", "warning"),
        ((condition("MetricsAvailable", "Unknown", "NoTraffic"),), "MeritMetricsLost", "warning"),
    ],
    ids=["a bypass", "a conflict", "no metrics", "no requests"],
)
def test_a_condition_that_needs_a_person_is_an_alert(
    conditions: tuple[Condition, ...], name: str, severity: str
) -> None:
    found = sent(observed(), conditions=conditions)
    assert found[name]["severity"] == severity


def test_a_gate_that_gave_up_names_its_stage() -> None:
    candidate = Candidate(
        revision="h1:a", short="a", policy="p", version="3", stage="Evaluation", since=AGO
    )
    flow = (FlowStage(stage="Evaluation", verdict="NoData", reason="JobFailed", at=AGO),)
    held = candidate.model_copy(update={"held": True})
    seen = observed()
    record = next(iter(seen.recorded.accepted.values()))
    seen = with_parts(seen, accepted={**seen.recorded.accepted, candidate.key: record})
    assert sent(seen, candidate=held, flow=flow)["MeritGateGivenUp"]["stage"] == "Evaluation"
    assert not sent(seen, candidate=candidate, flow=flow)


@pytest.mark.parametrize(
    ("response", "severity"), [("Rollback", "critical"), ("Alert", "warning"), ("Hold", "")]
)
def test_a_breach_is_as_grave_as_its_declared_response(response: str, severity: str) -> None:
    bad = (Signal(name="errors", value="3%", bar="1%", n=900, verdict="Bad"),)
    raw = put("spec.failureModes.1.response", response)["spec"]
    found = sent(observed(raw), signals=bad)
    assert found.get("MeritBreached", {}).get("severity", "") == severity


def test_nothing_to_go_back_to_pages_and_the_breach_itself_does_not_page_again() -> None:
    alarm = Alarm(
        signal="errors", reason="ErrorsBreached", message="m", at=AGO, held="NoHealthyRevision"
    )
    bad = (Signal(name="errors", value="3%", bar="1%", n=900, verdict="Bad"),)
    found = sent(observed(), alarm=alarm, signals=bad)
    assert set(found) == {"MeritNoHealthyRevision"}
    assert found["MeritNoHealthyRevision"]["severity"] == "critical"
    other = alarm.model_copy(update={"held": "Cooldown"})
    assert set(sent(observed(), alarm=other, signals=bad)) == {"MeritBreached"}


def test_an_excused_candidate_is_the_alert_of_an_incident_beside_another_alarm() -> None:
    candidate = Candidate(
        revision="h1:a", short="a", policy="p", version="3", stage="Withdrawn", since=AGO
    )
    why = "12 of 40 models turned bad"
    flow = (
        FlowStage(
            stage="Rollout", verdict="Undecided", reason="FleetIncident", message=why, at=AGO
        ),
    )
    alarm = Alarm(
        signal="latency/p99", reason="LatencyBreached", message="m", at=AGO,
        held="CandidateExposed", why="a candidate is being rolled out",
    )  # fmt: skip
    seen = observed()
    after = seen.status.model_copy(update={"candidate": candidate, "flow": flow, "alarm": alarm})
    found = {a.labels["alertname"]: a.annotations for a in alerts(seen, after, NOW)}
    assert found["MeritFleetIncident"]["summary"] == f"risk/fraud: {why}"


def test_a_restored_gate_alerts_for_an_hour() -> None:
    flow = (FlowStage(stage="Evaluation", verdict="Good", reason="Restored", at=AGO),)
    assert "MeritRestored" in sent(observed(), flow=flow)
    old = (flow[0].model_copy(update={"at": stamp(NOW - 3700)}),)
    assert "MeritRestored" not in sent(observed(), flow=old)


def test_while_the_spec_is_invalid_the_owner_of_what_serves_is_alerted() -> None:
    seen = observed()
    owner = seen.recorded.accepted[next(iter(seen.recorded.accepted))].spec.owner
    invalid = replace(
        seen, declared=replace(seen.declared, spec=Invalid("spec", "is wrong", "correct it"))
    )
    found = sent(invalid, conditions=(condition("Bypassed", "True", "Bypassed"),))
    assert found["MeritBypassed"]["team"] == owner.team


def test_an_object_that_is_being_deleted_sends_no_alert() -> None:
    seen = replace(observed(), deleting=True)
    assert not sent(seen, conditions=(condition("Bypassed", "True", "Bypassed"),))


def test_a_retraining_that_cannot_begin_alerts_after_a_minute() -> None:
    run = Retraining(
        run=1, job="j", signal="errors", at=AGO, outcome="Starting", reason="CronJobMissing"
    )
    assert sent(observed(), retrain=run)["MeritRetrainFailed"]["reason"] == "CronJobMissing"
    fresh = run.model_copy(update={"at": stamp(NOW - 5)})
    assert not sent(observed(), retrain=fresh)


def test_two_findings_with_the_same_labels_are_one_alert() -> None:
    twice = (
        condition("Stalled", "True", "OwnershipConflict"),
        condition("OwnershipConflict", "True", "OwnershipConflict"),
    )
    seen = observed()
    after = seen.status.model_copy(update={"conditions": twice})
    assert len(alerts(seen, after, NOW)) == 1


def test_a_healthy_object_sends_no_alert() -> None:
    assert alerts(observed(), Status(), NOW) == ()
