"""The record of an accepted spec was deleted by a stranger: written again, or missed aloud."""

from __future__ import annotations

from merit.policy.canary.measured import with_evidence
from merit.policy.decision import Accept, Decision
from merit.policy.observed import Observed

AGAIN = 60.0  # seconds: nothing tells when somebody puts it back


def records_stand(seen: Observed, now: float) -> Decision | None:
    """What serves or is on its way has its record; without one nothing about it may be decided.

    A record of what is declared now is made anew. Of other content nothing can be rendered any
    more: what serves goes on serving, and a step up would have no way back.
    """
    lost = lost_records(seen)
    if not lost:
        return None
    if seen.identity is not None and seen.identity.key in lost and seen.refused is None:
        return Decision(seen.status, actions=(Accept(),))
    exposed = seen.status.candidate is not None and seen.status.candidate.weight > 0
    return Decision(with_evidence(seen), again=seen.tuning.tick if exposed else AGAIN)


def lost_records(seen: Observed) -> tuple[str, ...]:
    """Keys `<rev8>-<pol8>` that status names and no ControllerRevision holds."""
    named = (seen.status.stable, seen.status.candidate)
    return tuple(
        key
        for revision in named
        if revision is not None
        and (key := f"{revision.short}-{revision.policy}") not in seen.accepted
    )
