"""How a gate ends: one row for each gate, verdict and number of failed runs before."""

from __future__ import annotations

from typing import Any

import pytest

from merit.api.status import Candidate, Status
from merit.policy.gates.ending import EVALUATION, FEASIBILITY, Gate, end_gate
from merit.policy.state.decision import Record
from merit.policy.state.verdict import Verdict
from tests.policy.builders import NOW, observed

RECORD = Record("the-record", "", {})
ENDINGS: dict[str, tuple[Gate, Verdict, int, dict[str, Any], str, str]] = {
    # gate, verdict, failures before: the candidate afterwards, the newest decision, the Event
    "a passed evaluation": (
        EVALUATION, Verdict("Good", "MeetsBars", "f1 ok"), 0,
        {"stage": "Feasibility", "held": False},
        "passed the evaluation", "MeetsBars",
    ),
    "a passed feasibility gate": (
        FEASIBILITY, Verdict("Good", "StaticOnly", "cheap"), 0,
        {"stage": "Rollout", "held": False},
        "is feasible", "StaticOnly",
    ),
    "a failed evaluator": (
        EVALUATION, Verdict("NoData", "JobFailed", "no report"), 1,
        {"failures": 2, "attempt": 2, "held": False},
        "the evaluation of {short} runs again in 5m", "JobFailed",
    ),
    "a broken load report": (
        FEASIBILITY, Verdict("Undecided", "Malformed", "no JSON"), 0,
        {"failures": 1, "attempt": 2, "held": False},
        "the load test of {short} runs again at once", "Malformed",
    ),
    "an evaluator that failed four times": (
        EVALUATION, Verdict("NoData", "JobFailed", "no report"), 3,
        {"failures": 3, "attempt": 1, "held": True},
        "is held at the evaluation", "JobFailed",
    ),
    "too few requests": (
        FEASIBILITY, Verdict("Undecided", "TooFewRequests", "298"), 0,
        {"failures": 0, "attempt": 1, "held": True},
        "is held at the feasibility gate", "TooFewRequests",
    ),
    "a rejected model": (
        EVALUATION, Verdict("Bad", "BelowBar", "f1 0.7 < 0.8"), 0, {},
        "rejected at the evaluation", "EvaluationFailed",
    ),
    "an infeasible model": (
        FEASIBILITY, Verdict("Bad", "TooSlow", "p99 too late"), 0, {},
        "rejected as infeasible", "Infeasible",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDINGS)
def test_a_gate_ends(name: str) -> None:
    gate, verdict, failures, after, decision, event = ENDINGS[name]
    seen = observed()
    identity = seen.declared.identity
    assert identity is not None
    candidate = Candidate(
        revision=identity.revision,
        short=identity.short,
        policy=identity.policy,
        version="2",
        stage=gate.stage,
        failures=failures,
        since="",
    )
    seen = observed(status=Status(candidate=candidate))
    onward = candidate.model_copy(update=after)
    end = end_gate(gate, seen, verdict, RECORD, onward, NOW)
    flow, status = end.status.stage(gate.stage), end.status
    assert flow is not None and (flow.reason, flow.record) == (verdict.reason, "the-record")
    assert decision.format(short=identity.short) in status.decisions[0].what
    assert (end.notes[0].reason, end.actions, end.decisive_status) == (event, (RECORD,), True)
    assert [(entry.stage, entry.reason) for entry in status.rejected] == (
        [(gate.stage, verdict.reason)] if verdict.kind == "Bad" else []
    )
    assert [entry.stage for entry in status.passed] == [gate.stage] * (verdict.kind == "Good")
    if verdict.kind == "Bad":
        assert status.candidate is None
    else:
        assert status.candidate is not None
        assert {field: getattr(status.candidate, field) for field in after} == after


def test_a_gate_that_was_passed_before_leaves_no_second_record() -> None:
    seen = observed()
    stable = seen.status.stable
    assert stable is not None
    candidate = Candidate(**stable.model_dump(include={"revision", "short", "policy", "version"}),
                          stage="Evaluation", since="")  # fmt: skip
    seen = observed(status=Status(candidate=candidate))
    before = Verdict("Good", "AlreadyPassed", "passed before")
    end = end_gate(EVALUATION, seen, before, None, candidate, NOW)
    assert (end.actions, end.status.passed) == ((), ())
