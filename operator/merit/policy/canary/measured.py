"""A candidate is taken back for what was measured; an incident of the whole fleet holds that.

What rests on no measurement (pods that are down, an abort) does not come through here.
"""

from __future__ import annotations

from dataclasses import replace

from merit.api.status import Status
from merit.policy.canary.case import Case
from merit.policy.canary.outcome import roll_back
from merit.policy.decision import Decision, Note
from merit.policy.observed import Observed
from merit.policy.remember import told
from merit.policy.verdict import Verdict
from merit.policy.watch.breaker import REASON as FLEET
from merit.policy.watch.breaker import may_hold


def take_back(case: Case, verdict: Verdict, now: float) -> Decision:
    """Rejected and without traffic, unless so many turn bad at once that it is not the model."""
    if not case.seen.incident or not may_hold(case.status, now):
        return replace(roll_back(case, verdict, now), scored=True)
    why = f"{case.seen.incident}: the metrics or the platform; {verdict.message}"
    return stand(case, Verdict("Undecided", FLEET, why), now)


def stand(case: Case, verdict: Verdict, now: float) -> Decision:
    """It stays where it is, though it is bad: said once, and its evidence goes on."""
    return Decision(
        told(with_evidence(case.seen), "Rollout", verdict, now),
        notes=() if _told_already(case.status) else (Note(verdict.reason, verdict.message, True),),
        again=case.seen.tuning.tick,
    )


def with_evidence(seen: Observed) -> Status:
    """The status with the newest look turned into evidence, where nothing else may move.

    Whatever freezes a candidate, its evidence goes on: safety acts on what has been gathered.
    """
    if seen.evidence is None:
        return seen.status
    return seen.status.model_copy(update={"analysis": seen.evidence.to_status()})


def _told_already(status: Status) -> bool:
    told = (s for s in status.flow if s.stage == "Rollout")
    return any(s.verdict == "Bad" or s.reason == FLEET for s in told)
