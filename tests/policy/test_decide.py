"""Each rule of `decide`: when it is the first that answers, with what, and when it is silent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from merit.api.evidence_state import AnalysisState
from merit.api.live_status import Alarm
from merit.api.status import Status
from merit.policy import decide as rules
from merit.policy.decide import RULES, Rule, decide, with_all_evidence
from merit.policy.state.decision import Decision
from merit.policy.state.observed import Ledger, Observed, Route
from merit.policy.state.times import stamp
from merit.stats.counts import NoSample
from tests.policy.builders import (
    NOW,
    at_gate,
    canary,
    counted,
    declaring,
    observed,
    rejected,
    spec,
    with_parts,
    with_pods,
    with_predecessor,
    with_status,
    with_token,
)
from tests.policy.situations import (
    BOOK,
    INVALID,
    NEWER,
    OTHER_BARS,
    PRICED,
    asking,
    blamed,
    both_failing,
    bypassing,
    compared,
    failing,
    failing_again,
    failing_beside_its_predecessor,
    failing_pods,
    forgotten,
    in_force,
    leaking,
    leaks,
    looping,
    measured_by,
    nothing_serves,
    passed,
    pinned,
    running,
    shifted,
    short_of,
    starting,
    withdrawn,
    without_pods,
)


@dataclass(frozen=True)
class Case:
    """`facts`: what the decision amounts to, as `facts_of` names it; None if the rule is silent."""

    name: str
    rule: Rule
    seen: Observed
    facts: dict[str, Any] | None


def says(rule: Rule, name: str, seen: Observed, **facts: Any) -> Case:
    return Case(name, rule, seen, facts)


def silent(rule: Rule, name: str, seen: Observed) -> Case:
    return Case(name, rule, seen, None)


def facts_of(decision: Decision) -> dict[str, Any]:
    status = decision.status
    candidate, comparison = status.candidate, status.comparison
    return {
        "serves": status.stable.version if status.stable else None,
        "stage": candidate.stage if candidate else None,
        "weight": candidate.weight if candidate else None,
        "approved": candidate.approved if candidate else None,
        "rejected": status.rejected[0].reason if status.rejected else None,
        "alarm": status.alarm.held if status.alarm else None,
        "comparison": comparison.stage if comparison else None,
        "flow": {entry.reason for entry in status.flow},
        "signal": {entry.signal for entry in status.flow},
        "note": {note.reason for note in decision.notes},
        "action": {type(action).__name__ for action in decision.actions},
        "evidence": status.analysis is not None,
        "urgent": decision.urgent,
        "scored": decision.scored,
        "requeue": decision.requeue_after,
    }


SERVING = observed()
BYPASSED_RAW = spec(bypass=bypassing())
REJECTED_AT_GATE = rejected(declaring(in_force(observed()), {**NEWER, "bypass": bypassing()}),
                            "Evaluation")  # fmt: skip
NEW_CONTENT = declaring(SERVING, NEWER)
INCIDENT = "12 of 40 models turned bad"

CASES = [
    # what the operator has forgotten
    says(rules.being_deleted, "an object that is being deleted is left alone",
         replace(SERVING, deleting=True), serves="2", action=set(), note=set()),
    says(rules.being_deleted, "deletion goes before every danger",
         replace(without_pods(canary()), deleting=True), weight=10),
    silent(rules.being_deleted, "an object that stays is decided on", SERVING),
    says(rules.restore, "the ledger that outlived the object has what serves",
         forgotten(ledger=Ledger(with_predecessor(observed()).status),
                   accepted=with_predecessor(observed()).recorded.accepted),
         serves="1", note={"Restored"}),
    says(rules.restore, "without a ledger it is the revision that has all traffic",
         forgotten(), serves="2026-11-01", note={"Restored"}),
    silent(rules.restore, "a new object has nothing to restore", forgotten(route=Route())),
    silent(rules.restore, "an object that was seen before keeps its status", SERVING),
    says(rules.restore_from_pin, "the pin says what was rolled back",
         pinned(), rejected="ErrorsWorse", note={"Restored"}, urgent=True),
    silent(rules.restore_from_pin, "a pin about other bars forbids nothing",
           pinned(policy="h1:" + "0" * 64)),
    silent(rules.restore_from_pin, "without a pin there is nothing to restore", SERVING),
    says(rules.drop_unreadable, "evidence of an unknown shape is dropped",
         replace(canary(), unread=("analysis",)), note={"StateDropped"}),
    silent(rules.drop_unreadable, "evidence that is read stays", canary()),
    # what takes traffic away
    says(rules.abort, "a person's no takes a candidate's traffic and rejects it",
         with_token(canary(), "abort"), stage=None, rejected="Aborted", urgent=True),
    says(rules.abort, "an abort works though the spec is invalid",
         replace(with_token(canary(), "abort"),
                 declared=replace(canary().declared, spec=INVALID, tokens={"abort": "now"})),
         stage=None, rejected="Aborted"),
    says(rules.abort, "without a candidate it is acknowledged and ignored",
         with_token(SERVING, "abort"), note={"TokenIgnored"}, serves="2"),
    silent(rules.abort, "what was handled before works no second time",
           with_status(with_token(canary(), "abort"), last_handled={"abort": "now"})),
    says(rules.candidate_is_down, "a candidate without pods is withdrawn if it is not to blame",
         without_pods(canary()), stage="Withdrawn", weight=0, rejected=None, flow={"PodsGone"}),
    says(rules.candidate_is_down, "a candidate whose pods all crash is rejected",
         without_pods(canary(), crashed=8, restarts=16), stage=None, rejected="PodsDown",
         scored=False),
    says(rules.candidate_is_down, "with automatic: false only a person rejects it",
         without_pods(canary(spec(rollbackPolicy={"automatic": False})), crashed=8, restarts=16),
         stage="Withdrawn", rejected=None, flow={"PodsDown"}),
    silent(rules.candidate_is_down, "before its first request nobody loses anything",
           without_pods(starting())),
    says(rules.pods_fail, "a candidate whose pods crash more than stable's is rejected",
         failing_pods(canary(), 3), stage=None, rejected="CrashLoop"),
    silent(rules.pods_fail, "one crash of eight is nothing", failing_pods(canary(), 1)),
    silent(rules.pods_fail, "with automatic: false it is held",
           failing_pods(canary(spec(rollbackPolicy={"automatic": False})), 3)),
    says(rules.route_is_gone, "a deleted route comes back with all traffic at stable",
         with_parts(canary(), route=Route()), stage="Withdrawn", flow={"RouteGone"}),
    silent(rules.route_is_gone, "before the first step there is nothing to take back",
           starting(route=Route())),
    says(rules.judge_zero_tolerance, "one event is one too many",
         leaks(canary(leaking()), 0, 0, 1), rejected="ZeroTolerance", scored=True),
    silent(rules.judge_zero_tolerance, "an event from before its first request is not its own",
           leaks(canary(leaking()), 0, 1, 1, 1, 1, 1)),
    silent(rules.judge_zero_tolerance, "a signal that alerts takes nothing back",
           leaks(canary(leaking("Alert")), 0, 0, 1)),
    says(rules.judge_zero_tolerance, "an event takes its traffic before the others are counted",
         replace(leaks(canary(leaking()), 0, 0, 1), counting=True), stage="Withdrawn",
         rejected=None, flow={"ZeroTolerance"}),
    says(rules.judge_drift, "in an incident other predictions take its traffic without blame",
         replace(shifted("Rollback"), incident=INCIDENT), stage="Withdrawn", rejected=None,
         flow={"FleetIncident"}),
    says(rules.judge_drift, "a candidate that predicts otherwise is rejected",
         shifted("Rollback"), rejected="PredictionsShifted", scored=True),
    silent(rules.judge_drift, "where the failure mode says Alert it goes on", shifted("Alert")),
    silent(rules.judge_drift, "without a declared drift there is none", canary()),
    says(rules.judge_evidence, "a candidate that fails is rejected",
         failing(), stage=None, rejected="DeadOnArrival", scored=True),
    says(rules.judge_evidence, "in an incident it loses its traffic all the same, without blame",
         replace(failing(), incident=INCIDENT), stage="Withdrawn", weight=0, rejected=None,
         flow={"FleetIncident"}, urgent=True, scored=False),
    says(rules.judge_evidence, "it loses its traffic before the others are counted",
         replace(failing(), counting=True), stage="Withdrawn", weight=0, rejected=None,
         flow={"DeadOnArrival"}, urgent=True, scored=False),
    says(rules.judge_evidence, "where stable fails too an incident keeps its share for a while",
         replace(both_failing(), incident=INCIDENT), weight=10, rejected=None,
         flow={"FleetIncident"}, evidence=True),
    says(rules.judge_evidence, "what was excused once is blamed the next time",
         replace(failing_again(), incident=INCIDENT),
         rejected="DeadOnArrival"),
    silent(rules.judge_evidence, "where stable fails too nothing is done before all are counted",
           replace(both_failing(), counting=True)),
    says(rules.judge_evidence, "where the failure mode says Alert its owner hears of it",
         failing(spec(failureModes__1={"name": "e", "signal": "errors", "response": "Alert"})),
         weight=10, rejected=None, flow={"DeadOnArrival"}, signal={"errors"}, evidence=True),
    silent(rules.judge_evidence, "a candidate that answers well goes on", canary()),
    silent(rules.judge_evidence, "without a new sample there is no new evidence",
           with_parts(failing(), sample=None)),
    says(rules.settle_blame, "what was bad and has lost its traffic is rejected",
         blamed(), stage=None, rejected="ErrorsWorse", scored=True),
    says(rules.settle_blame, "in an incident it is excused",
         replace(blamed(), incident=INCIDENT), stage="Withdrawn", rejected=None,
         flow={"FleetIncident"}, note={"FleetIncident"}, scored=False),
    says(rules.settle_blame, "it is rejected though a gateway takes no route any more",
         blamed(has_left=False, refused="forbidden"), rejected="ErrorsWorse"),
    silent(rules.settle_blame, "its traffic goes first", blamed(has_left=False)),
    silent(rules.settle_blame, "the others are counted first", replace(blamed(), counting=True)),
    silent(rules.settle_blame, "what was withdrawn for another cause is not to blame",
           withdrawn("PodsGone")),
    says(rules.request_rollback, "a person asks for the predecessor",
         with_token(with_predecessor(SERVING), "rollback"), serves="1",
         rejected="RolledBackByHand", urgent=True),
    says(rules.request_rollback, "without a predecessor it is acknowledged and ignored",
         with_token(SERVING, "rollback"), serves="2", note={"TokenIgnored"}),
    silent(rules.request_rollback, "nobody asks", with_predecessor(SERVING)),
    says(rules.compare_live, "without an alarm there is nothing to compare for",
         compared(alarm=False), comparison=None, note={"Superseded"}, serves="2"),
    says(rules.compare_live, "pods of what serves that fail end it with a rollback",
         looping(compared()), comparison=None, serves="1", rejected="CrashLoop"),
    says(rules.compare_live, "when the predecessor is up it gets a share",
         with_parts(compared(), live=counted(SERVING)), comparison="Comparing",
         note={"Comparing"}),
    says(rules.compare_live, "no incident holds what a healthy predecessor shows",
         replace(failing_beside_its_predecessor(), incident=INCIDENT), serves="1",
         rejected="DeadOnArrival", scored=False),
    silent(rules.compare_live, "the predecessor's pods are awaited", compared(ready=0)),
    silent(rules.compare_live, "nothing is compared", with_predecessor(SERVING)),
    says(rules.raise_alarm, "pods that fail bring the predecessor back at once",
         looping(with_predecessor(SERVING)), serves="1", rejected="CrashLoop", scored=False),
    says(rules.raise_alarm, "without a predecessor there is an alarm",
         looping(SERVING), serves="2", alarm="NoHealthyRevision", note={"CrashLoop"}),
    says(rules.raise_alarm, "an event of zero tolerance brings the predecessor back",
         leaks(with_predecessor(observed(leaking())), 0, 0, 1), serves="1",
         rejected="ZeroTolerance", scored=True),
    silent(rules.raise_alarm, "what is live gives way only when the others are counted",
           replace(leaks(with_predecessor(observed(leaking())), 0, 0, 1), counting=True)),
    silent(rules.raise_alarm, "an event that began under a candidate is not blamed on what serves",
           leaks(with_predecessor(canary(leaking(), stage="Withdrawn", weight=0,
                                         since=stamp(NOW - 10))), 0, 0, 1, 1)),
    says(rules.raise_alarm, "in an incident it serves on, and its owner is alerted",
         replace(leaks(with_predecessor(observed(leaking())), 0, 0, 1), incident=INCIDENT),
         serves="2", alarm="FleetIncident", rejected=None),
    says(rules.raise_alarm, "pods that fail are held by no incident",
         replace(looping(with_predecessor(SERVING)), incident=INCIDENT, counting=True),
         serves="1", rejected="CrashLoop"),
    says(rules.raise_alarm, "an alarm ends when its cause does",
         with_status(SERVING, alarm=Alarm(signal="errors", reason="ErrorsBreached", message="m",
                                          at=stamp(NOW - 60), held="AlertOnly")),
         alarm=None, note={"Recovered"}),
    silent(rules.raise_alarm, "what serves is inside its bars", SERVING),
    # what is declared, and whether it can be accepted
    says(rules.frozen, "with an invalid spec a candidate stays where it is, and is measured on",
         replace(canary(), declared=replace(canary().declared, spec=INVALID, identity=None)),
         weight=10, evidence=True, note=set()),
    says(rules.frozen, "a name that somebody else owns is looked at again after a minute",
         with_parts(NEW_CONTENT, conflict="Service risk/fraud belongs to another"), stage=None,
         requeue=60.0),
    silent(rules.frozen, "a valid spec is acted on", SERVING),
    says(rules.require_records, "the record of what is declared is written again",
         with_parts(SERVING, accepted={}), action={"Accept"}, serves="2"),
    says(rules.require_records, "without the record of what serves no weight rises",
         with_parts(NEW_CONTENT, accepted={}), action=set(), stage=None, requeue=60.0),
    silent(rules.require_records, "all records are there", SERVING),
    says(rules.update_bypass, "a new bypass is announced",
         declaring(SERVING, BYPASSED_RAW), note={"Bypassed"}),
    says(rules.update_bypass, "a bypass of more than a day is refused",
         declaring(SERVING, spec(bypass=bypassing(30.0))), note={"BypassRefused"}),
    says(rules.update_bypass, "a bypass that is taken out is over",
         in_force(SERVING), note={"BypassOver"}),
    silent(rules.update_bypass, "a bypass that is known is announced once",
           in_force(declaring(SERVING, BYPASSED_RAW), "Evaluation")),
    says(rules.supersede, "an exposed candidate loses its traffic to newer content",
         declaring(canary(), NEWER), weight=0, note={"Superseded"}, urgent=True),
    says(rules.supersede, "a candidate at its gates just goes",
         declaring(at_gate("Evaluation"), NEWER), stage=None),
    silent(rules.supersede, "the candidate is what is declared", canary()),
    says(rules.apply_edited_bars, "edited bars of what serves are recorded first",
         declaring(SERVING, OTHER_BARS, on_record=False), action={"Accept"}),
    says(rules.apply_edited_bars, "a candidate begins its evidence anew under its new bars",
         declaring(with_status(canary(), analysis=measured_by("").status.analysis),
                   {**OTHER_BARS, "model": {**OTHER_BARS["model"], "version": "3"}}),
         weight=10, evidence=False),
    silent(rules.apply_edited_bars, "the bars are the same", SERVING),
    says(rules.restart_evidence, "counts of two sources are no evidence together",
         measured_by("other"), weight=10, evidence=False),
    silent(rules.restart_evidence, "the source is the same", measured_by("")),
    silent(rules.restart_evidence, "there is no evidence yet", canary()),
    says(rules.retry, "rejected content runs again through every gate",
         asking(rejected(NEW_CONTENT), "retry"), stage="Evaluation", rejected=None,
         note={"Retried"}),
    says(rules.retry, "a candidate that was withdrawn for good starts again",
         asking(withdrawn("Inconclusive"), "retry"), stage="Rollout", note={"Retried"}),
    says(rules.retry, "a request for another version is ignored",
         asking(rejected(NEW_CONTENT), "retry", "0000000"), note={"TokenIgnored"}, stage=None),
    silent(rules.retry, "nobody asks", rejected(NEW_CONTENT)),
    says(rules.approve, "a person approves the next step",
         asking(canary(spec(rollout__approvals=[50])), "approve"), approved=50,
         note={"Approved"}),
    says(rules.approve, "without a step that waits it is ignored",
         asking(canary(), "approve"), approved=0, note={"TokenIgnored"}),
    silent(rules.approve, "content that is not a candidate yet keeps its approval",
           asking(NEW_CONTENT, "approve")),
    says(rules.lift_rejection, "what a gate rejected may go on",
         REJECTED_AT_GATE, rejected=None, note={"Bypassed"}),
    silent(rules.lift_rejection, "a rollback stays",
           rejected(REJECTED_AT_GATE, "Rollout")),
    silent(rules.lift_rejection, "without a bypass nothing is lifted",
           rejected(NEW_CONTENT, "Evaluation")),
    says(rules.accept_content, "new content is recorded first",
         declaring(SERVING, NEWER, on_record=False), action={"Accept"}, stage=None),
    says(rules.accept_content, "recorded content becomes the candidate",
         NEW_CONTENT, stage="Evaluation", weight=0, note={"Accepted"}),
    silent(rules.accept_content, "content that was rejected does not come back",
           rejected(NEW_CONTENT)),
    silent(rules.accept_content, "what is declared serves", SERVING),
    # what raises a candidate
    says(rules.skip_stage, "a gate that a bypass names is skipped, with a record",
         in_force(at_gate("Evaluation", BYPASSED_RAW)), stage="Feasibility", action={"Record"},
         note={"Bypassed"}),
    says(rules.skip_stage, "a rollout that a bypass names is skipped",
         in_force(canary(spec(bypass=bypassing(1.0, "Rollout"))), "Rollout"), serves="3",
         note={"Promoted", "Bypassed"}),
    silent(rules.skip_stage, "there is no bypass", at_gate("Evaluation")),
    silent(rules.skip_stage, "a gate that was passed is not skipped",
           passed(in_force(at_gate("Evaluation", BYPASSED_RAW)), "Evaluation")),
    says(rules.evaluate, "the evaluation's Job is started",
         at_gate("Evaluation"), action={"RunJob"}, flow={"EvaluationRunning"}),
    says(rules.evaluate, "a Job that runs is awaited",
         running(at_gate("Evaluation")), action=set(), flow={"EvaluationRunning"}),
    says(rules.evaluate, "what passed under the same bars is not run again",
         passed(at_gate("Evaluation"), "Evaluation"), stage="Feasibility",
         flow={"AlreadyPassed"}),
    says(rules.evaluate, "without a verdict that time can change a person has to act",
         at_gate("Evaluation", held=True), action=set(), stage="Evaluation"),
    silent(rules.evaluate, "it is past gate 1", at_gate("Feasibility")),
    says(rules.check_feasibility, "without a price nothing is passed on",
         at_gate("Feasibility"), stage="Feasibility", flow={"NoPrice"}),
    says(rules.check_feasibility, "what can be served goes on to the rollout",
         replace(at_gate("Feasibility", PRICED), tuning=replace(SERVING.tuning, prices=BOOK)),
         stage="Rollout", weight=0),
    silent(rules.check_feasibility, "it is at gate 1", at_gate("Evaluation")),
    says(rules.promote_now, "a person promotes it without further proof",
         asking(canary(), "promote"), serves="3", note={"Promoted"}),
    says(rules.promote_now, "before its first request it cannot be promoted",
         asking(starting(), "promote"), serves="2", note={"TokenIgnored"}),
    silent(rules.promote_now, "capacity comes before weight",
           with_pods(asking(canary(), "promote"), short_of(canary()), ready=1)),
    silent(rules.promote_now, "spec.paused holds it",
           asking(canary(spec(paused=True)), "promote")),
    says(rules.roll_out, "with its pods up and stable measured it gets its first share",
         starting(), weight=1, note={"WeightRaised"}, evidence=True),
    says(rules.roll_out, "nothing rises while it is counted how many are bad with it",
         replace(both_failing(), counting=True), weight=10, flow=set(), requeue=5.0),
    says(rules.roll_out, "what an incident excused stays without traffic for that long",
         canary(stage="Withdrawn", weight=0, step=0, excused=stamp(NOW + 60)), stage="Withdrawn"),
    says(rules.roll_out, "and starts again afterwards",
         canary(stage="Withdrawn", weight=0, step=0, excused=stamp(NOW - 60)), stage="Rollout",
         weight=0),
    says(rules.roll_out, "a candidate with no data is held and not promoted",
         with_parts(canary(), sample=NoSample("MetricsLost", "no answer")), weight=10,
         flow={"MetricsLost"}),
    says(rules.roll_out, "before its first step its pods are awaited",
         with_pods(starting(), short_of(canary()), ready=1), weight=0, flow={"WaitingForPods"}),
    says(rules.roll_out, "spec.paused holds every step forward",
         canary(spec(paused=True)), weight=10, flow={"Paused"}),
    says(rules.roll_out, "a first deployment has nothing to be compared with",
         nothing_serves(starting()), serves="3", note={"Promoted"}),
    says(rules.roll_out, "what was withdrawn for good waits for a person",
         withdrawn("Inconclusive"), stage="Withdrawn"),
    silent(rules.roll_out, "it is at a gate", at_gate("Evaluation")),
    # what is left
    says(rules.update_live_signals, "what serves is measured on", SERVING, serves="2",
         requeue=15.0),
    says(rules.update_live_signals, "what was rejected leaves what serves alone",
         rejected(NEW_CONTENT), serves="2", stage=None),
    silent(rules.update_live_signals, "nothing serves yet", nothing_serves(SERVING)),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule.__name__}: {case.name}")
def test_a_rule(case: Case) -> None:
    seen = with_all_evidence(case.seen)
    if case.facts is None:
        assert case.rule(seen, NOW) is None
        return
    first = next(rule.__name__ for rule in RULES if rule(seen, NOW) is not None)
    assert first == case.rule.__name__
    decision = case.rule(seen, NOW)
    assert decision is not None
    facts = facts_of(decision)
    for name, expected in case.facts.items():
        assert facts[name] == expected or _holds(facts[name], expected), (name, facts[name])
    assert decide(case.seen, NOW).status.candidate == decision.status.candidate


def _holds(found: Any, expected: Any) -> bool:
    """Of a set, the expected members are enough; an empty one is meant exactly."""
    return isinstance(expected, set) and bool(expected) and expected <= found


def test_every_rule_has_a_case_in_which_it_answers_and_one_in_which_it_is_silent() -> None:
    for answers in (True, False):
        assert {c.rule for c in CASES if (c.facts is not None) is answers} == set(RULES)
    assert all(sum(case.rule is rule for case in CASES) >= 2 for rule in RULES)
    assert len({(case.rule, case.name) for case in CASES}) == len(CASES)


def test_evidence_in_status_that_fits_nothing_is_no_evidence_to_any_rule() -> None:
    stored = canary().status.to_dict() | {"analysis": {"signals": 7}, "watch": ["x"]}
    seen = replace(canary(), status=Status.model_validate(stored))
    after = decide(seen, NOW).status
    assert isinstance(after.analysis, AnalysisState) and after.candidate is not None
    assert after.candidate.weight == 10
