"""Which accepted specs and records may go: those that nothing refers to any more.

Kept is what serves, is on its way, leaves, is declared or pinned; of what was promoted the newest
`rollbackPolicy.keepRevisions` besides the stable one, and of what was rejected as many records.
"""

from __future__ import annotations

from merit.api.defaults import KEEP_REVISIONS, effective
from merit.api.spec import Spec
from merit.api.status import Status
from merit.policy.decision import Forget
from merit.policy.observed import Filed, Observed

RECORDS = 8  # of one revision: more runs than a gate has by itself
AT_ONCE = 5  # removals in a pass


def prune(seen: Observed, status: Status) -> tuple[Forget, ...]:
    """What goes now. Nothing while status refers to nothing: it may just be lost."""
    if status.stable is None and status.candidate is None:
        return ()
    gone = [f for f in seen.filed if not _kept(f, seen, status)]
    gone += _surplus([f for f in seen.filed if f not in gone and f.kind == "ConfigMap"])
    return tuple(Forget(f.kind, f.name) for f in gone[:AT_ONCE])


def _kept(filed: Filed, seen: Observed, status: Status) -> bool:
    keys, shorts = _referred(seen, status)
    if filed.kind == "ControllerRevision":
        return filed.key in keys
    return filed.short in shorts


def _referred(seen: Observed, status: Status) -> tuple[set[str], set[str]]:
    """Keys of accepted specs, and revisions whose records stay."""
    most = effective(seen.spec).keep_revisions if isinstance(seen.spec, Spec) else KEEP_REVISIONS
    stable, pin = status.stable, seen.pin
    earlier = [p for p in status.promoted if stable is None or p.short != stable.short]
    promoted = [p for p in status.promoted if p.short in _newest([p.short for p in earlier], most)]
    if pin is not None:
        promoted += [p for p in status.promoted if p.revision == pin.to_revision]
    named = [r for r in (stable, status.candidate, status.verifying, *promoted) if r is not None]
    keys = {f"{r.short}-{r.policy}" for r in named}
    leaving = {arm.short for arm in status.leaving}
    keys |= {key for key in seen.accepted if key.partition("-")[0] in leaving}
    if seen.identity is not None:
        keys.add(seen.identity.key)
    rejected = _newest([e.revision[3:11] for e in status.rejected], most)
    return keys, {key.partition("-")[0] for key in keys} | leaving | rejected


def _newest(shorts: list[str], most: int) -> set[str]:
    """The first `most` different ones; status lists the newest first."""
    return set(list(dict.fromkeys(shorts))[:most])


def _surplus(records: list[Filed]) -> list[Filed]:
    """The oldest records of a revision that has very many."""
    by_revision: dict[str, list[Filed]] = {}
    for record in sorted(records, key=lambda f: f.created, reverse=True):
        by_revision.setdefault(record.short, []).append(record)
    return [old for several in by_revision.values() for old in several[RECORDS:]]
