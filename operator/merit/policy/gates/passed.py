"""Gates that content has passed: a finished gate is not run again while its own bars stand."""

from __future__ import annotations

from merit.api.hashing import Identity
from merit.api.status import Passed, Stage, Status
from merit.policy.remember import was_promoted
from merit.policy.times import stamp
from merit.policy.verdict import Verdict

KEPT = 10


def passed(status: Status, identity: Identity, stage: Stage, record: str, now: float) -> Status:
    """The status that remembers this gate as passed; `record`: the ConfigMap that tells of it."""
    entry = Passed(
        revision=identity.revision,
        stage=stage,
        policy=identity.stage_policy(stage),
        record=record,
        at=stamp(now),
    )
    others = (p for p in status.passed if (p.revision, p.stage) != (entry.revision, entry.stage))
    return status.model_copy(update={"passed": (entry, *others)[:KEPT]})


def passed_before(status: Status, identity: Identity, stage: Stage) -> Verdict | None:
    """Why this gate is not run again; None if it has to run."""
    for entry in status.passed:
        same = (entry.revision, entry.stage) == (identity.revision, stage)
        if same and entry.policy == identity.stage_policy(stage):
            said = f"passed before under the same bars; not run again (record {entry.record})"
            return Verdict("Good", "AlreadyPassed", said)
    if was_promoted(status, identity):
        said = "passed before under the same bars; not run again"
        return Verdict("Good", "Restored", said)
    return None
