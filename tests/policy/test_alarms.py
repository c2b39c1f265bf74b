"""What a person is told of, case by case; the rest is in the world."""

from __future__ import annotations

from dataclasses import replace

import pytest

from merit.api.status import Candidate, Condition, FlowStage, Signal, Status
from merit.api.validation import Invalid
from merit.api.watched import Alarm, Retraining
from merit.policy.observed import Observed
from merit.policy.telling.alarms import alarms
from merit.policy.times import stamp
from tests.api.manifests import put
from tests.policy.test_live import NOW, observed

AGO = stamp(NOW - 600)


def condition(kind: str, word: str, reason: str) -> Condition:
    return Condition(
        type=kind, status=word, reason=reason, message="said", last_transition_time=AGO
    )


def told(seen: Observed, **status: object) -> dict[str, dict[str, str]]:
    after = seen.status.model_copy(update=status)
    return {a.labels["alertname"]: dict(a.labels) for a in alarms(seen, after, NOW)}


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
def test_a_condition_that_people_must_know_of_is_an_alarm(
    conditions: tuple[Condition, ...], name: str, severity: str
) -> None:
    found = told(observed(), conditions=conditions)
    assert found[name]["severity"] == severity


def test_a_gate_that_gave_up_names_its_stage() -> None:
    candidate = Candidate(
        revision="h1:a", short="a", policy="p", version="3", stage="Evaluation", since=AGO
    )
    flow = (FlowStage(stage="Evaluation", verdict="NoData", reason="JobFailed", at=AGO),)
    stalled = (condition("Stalled", "True", "JobFailed"),)
    found = told(observed(), candidate=candidate, flow=flow, conditions=stalled)
    assert found["MeritGateGivenUp"]["stage"] == "Evaluation"
    assert not told(observed(), candidate=candidate, flow=flow, conditions=())


@pytest.mark.parametrize(
    ("response", "severity"), [("Rollback", "critical"), ("Alert", "warning"), ("Hold", "")]
)
def test_a_breach_is_as_grave_as_its_declared_response(response: str, severity: str) -> None:
    bad = (Signal(name="errors", value="3%", bar="1%", n=900, verdict="Bad"),)
    raw = put("spec.failureModes.1.response", response)["spec"]
    found = told(observed(raw), signals=bad)
    assert found.get("MeritBreached", {}).get("severity", "") == severity


def test_nothing_to_go_back_to_pages_and_the_breach_itself_does_not_page_again() -> None:
    alarm = Alarm(
        signal="errors", reason="ErrorsBreached", message="m", at=AGO, held="NoHealthyRevision"
    )
    bad = (Signal(name="errors", value="3%", bar="1%", n=900, verdict="Bad"),)
    found = told(observed(), alarm=alarm, signals=bad)
    assert set(found) == {"MeritNoHealthyRevision"}
    assert found["MeritNoHealthyRevision"]["severity"] == "critical"
    other = alarm.model_copy(update={"held": "Cooldown"})
    assert set(told(observed(), alarm=other, signals=bad)) == {"MeritBreached"}


def test_a_restored_gate_is_told_for_an_hour() -> None:
    flow = (FlowStage(stage="Evaluation", verdict="Good", reason="Restored", at=AGO),)
    assert "MeritRestored" in told(observed(), flow=flow)
    old = (flow[0].model_copy(update={"at": stamp(NOW - 3700)}),)
    assert "MeritRestored" not in told(observed(), flow=old)


def test_while_the_spec_is_invalid_the_owner_of_what_serves_is_told() -> None:
    seen = observed()
    owner = seen.accepted[next(iter(seen.accepted))].spec.owner
    invalid = replace(seen, spec=Invalid("spec", "is wrong", "correct it"))
    found = told(invalid, conditions=(condition("Bypassed", "True", "Bypassed"),))
    assert found["MeritBypassed"]["team"] == owner.team


def test_an_object_that_is_being_deleted_alarms_nobody() -> None:
    seen = replace(observed(), deleting=True)
    assert not told(seen, conditions=(condition("Bypassed", "True", "Bypassed"),))


def test_a_training_that_cannot_begin_is_told_after_a_minute() -> None:
    run = Retraining(
        run=1, job="j", signal="errors", at=AGO, outcome="Starting", reason="CronJobMissing"
    )
    assert told(observed(), retrain=run)["MeritRetrainFailed"]["reason"] == "CronJobMissing"
    fresh = run.model_copy(update={"at": stamp(NOW - 5)})
    assert not told(observed(), retrain=fresh)


def test_two_findings_of_one_identity_are_one_alarm() -> None:
    twice = (
        condition("Stalled", "True", "OwnershipConflict"),
        condition("OwnershipConflict", "True", "OwnershipConflict"),
    )
    seen = observed()
    after = seen.status.model_copy(update={"conditions": twice})
    assert len(alarms(seen, after, NOW)) == 1


def test_nothing_is_told_of_an_object_that_is_well() -> None:
    assert alarms(observed(), Status(), NOW) == ()
