"""Records of accepted specs and of stage runs: which are missing, and which may be deleted."""

from __future__ import annotations

from merit.api.defaults import KEEP_REVISIONS, effective
from merit.api.spec import Spec
from merit.api.status import Status
from merit.policy.outcomes.roll_back import with_evidence
from merit.policy.state.decision import Accept, Decision, Forget
from merit.policy.state.observed import Observed, RecordEntry

RETRY_LOST = 60.0  # seconds: no event comes when a record is restored
MAX_RECORDS = 8  # of one revision: more than a gate's own runs
MAX_REMOVALS = 5  # in one pass


def require_records(seen: Observed, now: float) -> Decision | None:
    """Without the record of what serves, or of the candidate, nothing about it may be decided.

    A deleted record of what is declared now is written again. Of other content nothing can be
    rendered any more: what serves keeps serving, and no weight rises, as it could not be undone.
    """
    lost = lost_records(seen)
    if not lost:
        return None
    identity = seen.declared.identity
    if identity is not None and identity.key in lost and seen.declared.refused is None:
        return Decision(seen.status, actions=(Accept(),))
    exposed = seen.status.candidate is not None and seen.status.candidate.weight > 0
    return Decision(with_evidence(seen), requeue_after=seen.tuning.tick if exposed else RETRY_LOST)


def lost_records(seen: Observed) -> tuple[str, ...]:
    """Keys `<rev8>-<pol8>` that status names and no ControllerRevision holds."""
    named = (seen.status.stable, seen.status.candidate)
    return tuple(r.key for r in named if r is not None and r.key not in seen.recorded.accepted)


def prune(seen: Observed, status: Status) -> tuple[Forget, ...]:
    """Records to delete now: those that nothing refers to any more.

    What serves, is the candidate, leaves, is declared or pinned keeps them. So do, besides the
    stable revision, the newest `rollbackPolicy.keepRevisions` that were promoted, and as many that
    were rejected. Nothing goes while status refers to nothing: it may just be lost.
    """
    if status.stable is None and status.candidate is None:
        return ()
    keys, shorts = _referred(seen, status)

    def referred(entry: RecordEntry) -> bool:
        return entry.key in keys if entry.kind == "ControllerRevision" else entry.short in shorts

    entries = seen.recorded.entries
    unused = [entry for entry in entries if not referred(entry)]
    unused += _surplus([e for e in entries if e.kind == "ConfigMap" and referred(e)])
    return tuple(Forget(entry.kind, entry.name) for entry in unused[:MAX_REMOVALS])


def _referred(seen: Observed, status: Status) -> tuple[set[str], set[str]]:
    """Keys of the accepted specs that stay, and the revisions whose stage records stay."""
    most = (
        effective(seen.declared.spec).keep_revisions
        if isinstance(seen.declared.spec, Spec)
        else KEEP_REVISIONS
    )
    stable, pin = status.stable, seen.pin.value
    earlier = [p for p in status.promoted if stable is None or p.short != stable.short]
    newest = _newest([p.short for p in earlier], most)
    promoted = [
        p
        for p in status.promoted
        if p.short in newest or (pin is not None and p.revision == pin.to_revision)
    ]
    named = (stable, status.candidate, status.comparison, *promoted)
    keys = {revision.key for revision in named if revision is not None}
    leaving = {entry.short for entry in status.leaving}
    keys |= {key for key in seen.recorded.accepted if key.partition("-")[0] in leaving}
    if seen.declared.identity is not None:
        keys.add(seen.declared.identity.key)
    rejected = _newest([entry.revision[3:11] for entry in status.rejected], most)
    return keys, {key.partition("-")[0] for key in keys} | leaving | rejected


def _newest(shorts: list[str], most: int) -> set[str]:
    """The first `most` different ones; status lists the newest first."""
    return set(list(dict.fromkeys(shorts))[:most])


def _surplus(records: list[RecordEntry]) -> list[RecordEntry]:
    """The oldest records of a revision that has more than the maximum."""
    by_revision: dict[str, list[RecordEntry]] = {}
    for record in sorted(records, key=lambda r: r.created, reverse=True):
        by_revision.setdefault(record.short, []).append(record)
    return [old for several in by_revision.values() for old in several[MAX_RECORDS:]]
