"""Every state by its name, and that all views of it agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from merit.api.live_status import Alarm, Comparison
from merit.api.reasons import REASONS
from merit.api.status import Candidate, Condition, FlowStage, Rejection, Revision, Status
from merit.api.validation import Invalid
from merit.policy.report.named_state import KSTATUS, State, named_state
from merit.policy.report.present import SHORT, present
from merit.policy.state.observed import Observed, Route
from merit.policy.state.times import stamp
from tests.api.manifests import good, put
from tests.policy.builders import NOW, in_canary, observed, with_parts

AGO = stamp(NOW - 600)
RAW = good()["spec"]
WORSE = "errors 6% against stable's 0.1%, 99.2% confidence, n=1,240"
Case = Callable[[], tuple[Observed, Status]]


def live() -> tuple[Observed, Status]:
    seen = observed(RAW)
    return seen, seen.status


def nothing_yet() -> tuple[Observed, Status]:
    seen = with_parts(observed(RAW), route=Route())
    return seen, seen.status.model_copy(update={"stable": None})


def canary(**changes: object) -> tuple[Observed, Status]:
    seen = in_canary(observed(RAW), RAW)
    candidate = seen.status.candidate
    assert candidate is not None and seen.status.stable is not None
    candidate = candidate.model_copy(update=changes)
    weights = {seen.status.stable.short: 100 - candidate.weight}
    if candidate.weight:
        weights[candidate.short] = candidate.weight
    seen = with_parts(seen, route=Route(exists=True, weights=weights, accepted=True))
    flow = (FlowStage(stage="Rollout", verdict="Undecided", reason="Sampling", at=AGO),)
    return seen, seen.status.model_copy(update={"candidate": candidate, "flow": flow})


def at_gate(stage: str, verdict: str, reason: str, *, held: bool) -> tuple[Observed, Status]:
    seen, status = canary(stage=stage, weight=0, held=held)
    flow = (FlowStage(stage=stage, verdict=verdict, reason=reason, at=AGO, message="3 of 9"),)
    return seen, status.model_copy(update={"flow": flow})


def rejected(stage: str, *, weight: int = 0) -> tuple[Observed, Status]:
    seen, status = canary(weight=weight)
    identity = seen.declared.identity
    assert identity is not None
    entry = Rejection(
        revision=identity.revision, stage=stage, policy=identity.stage_policy(stage),
        reason="ErrorsWorse", at=AGO, evidence=WORSE, version="3",
    )  # fmt: skip
    return seen, status.model_copy(update={"candidate": None, "rejected": (entry,)})


def blocked() -> tuple[Observed, Status]:
    seen, status = rejected("Rollout", weight=50)
    return with_parts(seen, traffic=replace(seen.traffic, refused="403 Forbidden")), status


def alarmed(held: str) -> tuple[Observed, Status]:
    seen, status = live()
    alarm = Alarm(
        signal="errors", reason="ErrorsBreached", message="errors 3% > 1%", at=AGO, held=held,
        why="the next rollback waits until noon",
    )  # fmt: skip
    return seen, status.model_copy(update={"alarm": alarm})


def comparing() -> tuple[Observed, Status]:
    seen, status = alarmed("")
    comparison = Comparison(
        revision="h1:0", short="00000000", policy="p", version="1", promoted_at=AGO, began=AGO,
        since=AGO, weight=50,
    )  # fmt: skip
    return seen, status.model_copy(update={"comparison": comparison})


def newer() -> tuple[Observed, Status]:
    seen, status = live()
    old = Revision(revision="h1:old", short="oldoldol", policy="p", version="1")
    record = next(iter(seen.recorded.accepted.values()))
    seen = with_parts(seen, accepted={**seen.recorded.accepted, old.key: record})
    return seen, status.model_copy(update={"stable": old})


def invalid(base: Case = live) -> tuple[Observed, Status]:
    seen, status = base()
    wrong = Invalid("spec.steps", "are out of order", "sort them")
    return with_parts(seen, spec=wrong, identity=None), status


def failed(base: Case = live) -> tuple[Observed, Status]:
    seen, status = base()
    return replace(seen, failed="IndexError"), status


def conflict() -> tuple[Observed, Status]:
    seen, status = live()
    return with_parts(seen, conflict="Service fraud belongs to somebody else"), status


def write_refused() -> tuple[Observed, Status]:
    seen, status = live()
    return replace(seen, refused_writes={"WriteLedger": "configmaps is forbidden"}), status


def without_record() -> tuple[Observed, Status]:
    seen, status = live()
    return with_parts(seen, accepted={}), status


CASES: dict[str, tuple[Case, State, str, str]] = {
    "nothing serves yet": (nothing_yet, State.PENDING, "Pending", "Unknown"),
    "what is declared serves": (live, State.LIVE, "Live", "Unknown"),
    "newer content is declared": (newer, State.ACCEPTING, "Accepting", "Unknown"),
    "gate 1 runs": (
        lambda: at_gate("Evaluation", "Undecided", "EvaluationRunning", held=False),
        State.EVALUATING, "Evaluating", "Unknown",
    ),
    "gate 1 has given up": (
        lambda: at_gate("Evaluation", "NoData", "JobFailed", held=True),
        State.HELD, "Evaluating", "Unknown",
    ),
    "gate 2 runs": (
        lambda: at_gate("Feasibility", "Undecided", "FeasibilityRunning", held=False),
        State.CHECKING, "Checking", "Unknown",
    ),
    "gate 2 lacks a price": (
        lambda: at_gate("Feasibility", "NoData", "NoPrice", held=False),
        State.HELD, "Checking", "Unknown",
    ),
    "past its gates, without traffic": (
        lambda: canary(weight=0), State.STARTING, "Starting", "Unknown",
    ),
    "a canary": (canary, State.CANARY, "Canary 10%", "Earning"),
    "the holdback": (
        lambda: canary(stage="Holdback", weight=90), State.HOLDBACK, "Holdback 90%", "Earning",
    ),
    "withdrawn": (
        lambda: canary(stage="Withdrawn", weight=0), State.WITHDRAWN, "Withdrawn", "Unknown",
    ),
    "rejected at a gate": (
        lambda: rejected("Evaluation"), State.REJECTED, "Rejected", "Unknown",
    ),
    "a rollback that moves traffic": (
        lambda: rejected("Rollout", weight=50), State.ROLLING_BACK, "RollingBack", "Lost",
    ),
    "rolled back": (lambda: rejected("Rollout"), State.ROLLED_BACK, "RolledBack", "Unknown"),
    "a rollback that is blocked": (blocked, State.ROLLBACK_BLOCKED, "RollingBack", "Lost"),
    "an alarm that a person must end": (
        lambda: alarmed("NoHealthyRevision"), State.BREACHED, "Live", "Lost",
    ),
    "an alarm whose comparison waits": (
        lambda: alarmed("Cooldown"), State.BREACH_WAITS, "Live", "Lost",
    ),
    "an alarm that only alerts": (lambda: alarmed("AlertOnly"), State.LIVE, "Live", "Lost"),
    "a comparison": (comparing, State.COMPARING, "Comparing", "Comparing"),
    "an invalid spec": (invalid, State.INVALID, "Invalid", "Unknown"),
    "an invalid spec in mid-canary": (
        lambda: invalid(canary), State.INVALID, "Canary 10%", "Earning",
    ),
    "a pass has failed": (failed, State.INTERNAL_ERROR, "Live", "Unknown"),
    "a pass has failed in mid-canary": (
        lambda: failed(canary), State.INTERNAL_ERROR, "Canary 10%", "Earning",
    ),
    "somebody else's Service": (conflict, State.CONFLICT, "Live", "Unknown"),
    "a lost record": (without_record, State.RECORD_LOST, "Live", "Unknown"),
    "a refused write": (write_refused, State.WRITE_REFUSED, "Live", "Unknown"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_state_has_its_name_its_phase_and_its_trust(case: str) -> None:
    build, state, phase, trust = CASES[case]
    seen, status = build()
    after = present(seen, status, NOW)
    assert named_state(seen, status).state is state
    assert (after.phase, after.trust) == (phase, trust)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_view_says_the_same(case: str) -> None:
    seen, status = CASES[case][0]()
    named, after = named_state(seen, status), present(seen, status, NOW)
    ready = condition(after, "Ready")
    assert (ready.status == "True") is (named.kstatus == "Ready")
    assert ready.reason == named.reason and named.reason in REASONS
    other = [c for c in after.conditions if c.type in ("Reconciling", "Stalled")]
    assert [c.type for c in other] == ([] if named.kstatus == "Ready" else [named.kstatus])
    assert after.summary == named.facts[:256]
    assert ready.status == "True" or ready.message.startswith(named.facts)
    assert after.reason.startswith(named.reason) and len(after.reason) <= SHORT
    trusted = condition(after, "Trusted")
    if after.trust in ("Earned", "Lost"):
        assert trusted.status == {"Earned": "True", "Lost": "False"}[after.trust]
    else:
        assert trusted.status == "Unknown" or status.stable is None
    if named.kstatus == "Stalled":
        assert after.next is None or "scrape" not in after.next.what


def test_no_state_is_untested() -> None:
    reached = {state for _, state, _, _ in CASES.values()}
    assert reached | {State.NOT_COMPARABLE} == set(State)
    assert set(KSTATUS) <= set(State)


def test_a_blocked_rollback_says_so_in_every_column() -> None:
    after = present(*blocked(), NOW)
    assert condition(after, "Ready").reason == "RollbackBlocked"
    assert after.reason.startswith("RollbackBlocked: ") and "403" in after.summary
    assert after.next is not None and after.next.what.startswith("take the traffic back")


def test_a_lost_record_is_what_comes_next_too() -> None:
    after = present(*without_record(), NOW)
    assert condition(after, "Stalled").reason == "RecordLost"
    assert "is missing" in after.summary
    assert after.next is not None and "declared again" in after.next.what


def test_a_rejected_version_that_still_has_traffic_is_not_trusted_whatever_stable_does() -> None:
    after = present(*rejected("Rollout", weight=50), NOW)
    assert condition(after, "Trusted").status == "False" and after.trust == "Lost"


def test_the_short_reason_is_the_word_and_the_first_number() -> None:
    after = present(*rejected("Rollout"), NOW)
    assert after.reason == "RolledBack: errors 6% against stable's 0.1%"
    assert after.summary == WORSE


def condition(status: Status, kind: str) -> Condition:
    found = status.condition(kind)
    assert found is not None, kind
    return found


def test_a_candidate_without_a_flow_entry_has_just_begun() -> None:
    seen, status = canary(stage="Evaluation", weight=0)
    named = named_state(seen, status.model_copy(update={"flow": ()}))
    assert (named.state, named.facts) == (State.EVALUATING, "Evaluation begins")
    assert isinstance(status.candidate, Candidate)


def test_a_bypass_in_force_stands_beside_the_phase() -> None:
    raw = put("spec.model.version", "2", {"spec": RAW})["spec"]
    seen = observed(raw)
    bypass = {
        "stages": ("Rollout",), "reason": "INC-1", "expires": AGO, "since": AGO, "state": "InForce",
    }  # fmt: skip
    status = Status.model_validate({**seen.status.to_dict(), "bypass": bypass})
    assert present(seen, status, NOW).phase == "Live (bypassed)"
