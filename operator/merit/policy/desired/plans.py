"""How many pods each revision is to have, and who decides: the operator, or an autoscaler.

Stable keeps the pods that it had when a rollout began: it must be able to take all traffic back.
Only the stable revision is autoscaled; a leaving one is scaled down once nothing is sent to it.
"""

from __future__ import annotations

from dataclasses import replace

from merit.api.defaults import effective
from merit.api.status import Leaving, Status
from merit.policy.desired.leaving import SETTLE, is_idle
from merit.policy.gates.feasibility.load_gate import needs_pods
from merit.policy.state.capacity import pods_for_half, pods_wanted
from merit.policy.state.context import rollout_context
from merit.policy.state.decision import EnsureRevision
from merit.policy.state.observed import Observed, RevisionPods
from merit.policy.state.route_kind import by_pods
from merit.policy.state.times import age, seconds
from merit.policy.state.transitions import DRAIN


def missing_pods(seen: Observed, status: Status, now: float) -> list[EnsureRevision]:
    """What each revision lacks that serves, is a candidate, is compared, or is kept ready."""
    planned = [_stable(seen, status), _candidate(seen, status, now), _compared(seen, status)]
    planned += [_kept(seen, status, leaving, now) for leaving in status.leaving if leaving.kept]
    return [plan for plan in planned if plan and not _is_met(plan, seen.pods_of(plan.short))]


def _is_met(plan: EnsureRevision, pods: RevisionPods) -> bool:
    if plan.replicas is not None and pods.desired != plan.replicas:
        return False
    return pods.in_sync and (pods.scaling, pods.budget) == (plan.scaling, plan.budget)


def _stable(seen: Observed, status: Status) -> EnsureRevision | None:
    stable = status.stable
    accepted = seen.record(stable)
    if stable is None or accepted is None:
        return None
    known, pods = effective(accepted.spec), seen.pods_of(stable.short)
    candidate, comparison = status.candidate, status.comparison
    floor = candidate.floor if candidate is not None and candidate.weight > 0 else 0
    floor = max(floor, comparison.floor if comparison is not None else 0)
    least = min(known.replicas_max, max(known.replicas_min, stable.replicas, floor))
    budget = known.replicas_min > 1
    if known.autoscaled:
        # An autoscaler does nothing at 0 replicas.
        replicas = least if pods.desired == 0 else None
        scaling = (least, known.replicas_max)
        return EnsureRevision(accepted.identity.key, replicas, scaling, budget)
    # Within the declared range others may scale it.
    replicas = max(least, min(pods.desired, known.replicas_max))
    return EnsureRevision(accepted.identity.key, replicas, budget=budget)


def _candidate(seen: Observed, status: Status, now: float) -> EnsureRevision | None:
    candidate = status.candidate
    if candidate is None or not needs_pods(seen, status):
        return None
    accepted = seen.record(candidate)
    if accepted is None:
        return None
    known, context = effective(accepted.spec), rollout_context(replace(seen, status=status))
    if candidate.stage == "Feasibility":
        # By pod count, these pods would get requests while two revisions are compared.
        replicas = 0 if by_pods(seen) and status.comparison else known.replicas_min
        return EnsureRevision(accepted.identity.key, replicas)
    wanted = pods_wanted(context) if context else known.replicas_min
    if by_pods(seen) and candidate.superseded:
        replicas = 0
    elif by_pods(seen) and candidate.stage == "Withdrawn":
        pods = seen.pods_of(candidate.short)
        replicas = _pods_while_draining(candidate.since, pods.desired, wanted, now)
    else:
        replicas = wanted
    budget = known.replicas_min > 1 and replicas > 1
    return EnsureRevision(accepted.identity.key, replicas, budget=budget)


def _compared(seen: Observed, status: Status) -> EnsureRevision | None:
    """The predecessor in a comparison: enough pods for its share, before it has it."""
    comparison = status.comparison
    accepted = seen.record(comparison)
    if comparison is None or accepted is None:
        return None
    known = effective(accepted.spec)
    needed = pods_for_half(seen, comparison.floor, known.replicas_max)
    replicas = needed if by_pods(seen) else max(known.replicas_min, needed)
    return EnsureRevision(accepted.identity.key, replicas, budget=known.replicas_min > 1)


def _pods_while_draining(since: str, before: int, after: int, now: float) -> int:
    """By pod count, the pods of a revision that lost its share at `since`.

    First as `before`, until every node routes around them; then none, so that open connections
    end; then `after`, new pods without connections.
    """
    elapsed = age(since, now)
    return before if elapsed < SETTLE else 0 if elapsed < DRAIN else after


def _kept(seen: Observed, status: Status, leaving: Leaving, now: float) -> EnsureRevision | None:
    """The kept predecessor: without traffic, ready for a rollback."""
    named = (status.stable, status.candidate, status.comparison)
    used = any(revision is not None and revision.short == leaving.short for revision in named)
    if used or seconds(leaving.until) <= now:
        return None
    entry = next((p for p in status.promoted if p.short == leaving.short), None)
    accepted = seen.record(entry)
    if entry is None or accepted is None:
        return None
    known, pods = effective(accepted.spec), seen.pods_of(leaving.short)
    least = max(known.replicas_min, entry.replicas)
    drained = age(leaving.since, now) >= DRAIN
    budget = known.replicas_min > 1
    if by_pods(seen):
        # Its pods would get requests beside those of a candidate past its gates.
        draining = _pods_while_draining(leaving.since, pods.desired, least, now)
        replicas = 0 if status.candidate and not status.candidate.at_gate else draining
        return EnsureRevision(accepted.identity.key, replicas, budget=budget)
    unused = drained or is_idle(seen, leaving, now) or not pods.exists
    replicas = least if unused else pods.desired
    return EnsureRevision(accepted.identity.key, replicas, budget=budget)
