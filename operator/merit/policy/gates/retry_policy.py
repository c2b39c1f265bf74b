"""When a gate's Job runs again by itself, and which gates were passed and never run again."""

from __future__ import annotations

from merit.api.spec import Spec
from merit.api.status import Candidate, Passed, Stage, Status
from merit.policy.state.observed import Accepted
from merit.policy.state.times import seconds, stamp
from merit.policy.state.transitions import was_promoted
from merit.policy.state.verdict import Verdict

PULL_PATIENCE = 300.0  # seconds until a run whose image cannot be pulled counts as failed
RERUNS = (60.0, 300.0, 1500.0)  # seconds before each: what failed was not the model
PASSED_KEPT = 10
BROKEN = frozenset(  # the next run would most likely end alike: one more, then a person
    {"Malformed", "StaleReport", "ReportTooLarge", "UnknownSchema", "ReportMissing", "ReportLost"}
)


def retry_delay(candidate: Candidate, verdict: Verdict) -> float | None:
    """Seconds until another run, None if none follows by itself. Numbers are not measured twice."""
    if verdict.kind == "NoData" and candidate.failures < len(RERUNS):
        return RERUNS[candidate.failures]
    if verdict.reason in BROKEN and candidate.failures < 1:
        return 0.0
    return None


def next_start(status: Status, candidate: Candidate) -> float | None:
    """Unix seconds before which its stage's next Job does not start; None without a back-off."""
    flow = status.stage(candidate.stage)
    if not candidate.failures or flow is None or flow.verdict != "NoData":
        return None
    return seconds(candidate.since) + RERUNS[min(candidate.failures, len(RERUNS)) - 1]


def next_attempt(candidate: Candidate, now: float, *, failures: int = 0) -> Candidate:
    """The candidate before another run of its stage, with a new Job and a new nonce."""
    return candidate.model_copy(
        update={
            "attempt": candidate.attempt + 1,
            "failures": failures,
            "held": False,
            "since": stamp(now),
        }
    )


def compared_with(spec: Spec, status: Status, stage: Stage) -> str:
    """The revision that a bar of this gate compares with; empty if none does, or nothing serves."""
    bars = spec.evaluation.bars if stage == "Evaluation" else ()
    compares = any(bar.no_worse_than_stable is not None for bar in bars)
    return status.stable.revision if compares and status.stable is not None else ""


def with_gate_passed(
    status: Status, accepted: Accepted, stage: Stage, record: str, now: float
) -> Status:
    """The status with this gate as passed. `record`: the name of the ConfigMap that keeps it."""
    identity = accepted.identity
    entry = Passed(
        revision=identity.revision,
        stage=stage,
        policy=identity.stage_policy(stage),
        record=record,
        at=stamp(now),
        stable=compared_with(accepted.spec, status, stage),
    )
    others = (p for p in status.passed if (p.revision, p.stage) != (entry.revision, entry.stage))
    return status.model_copy(update={"passed": (entry, *others)[:PASSED_KEPT]})


def passed_before(status: Status, accepted: Accepted, stage: Stage) -> Verdict | None:
    """Why this gate is not run again; None if it has to run.

    What was compared with another revision than the one that serves now is compared with that,
    unless it served all users once: a revert is never held up.
    """
    identity, serves = accepted.identity, compared_with(accepted.spec, status, stage)
    for entry in status.passed:
        same = (entry.revision, entry.stage) == (identity.revision, stage)
        same = same and entry.policy == identity.stage_policy(stage)
        if same and entry.stable == (serves or entry.stable):
            why = f"passed before under the same bars; not run again (record {entry.record})"
            return Verdict("Good", "AlreadyPassed", why)
    if was_promoted(status, identity):
        return Verdict("Good", "Restored", "passed before under the same bars; not run again")
    return None
