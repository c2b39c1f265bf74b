"""How many pods each revision has, and who says so: the operator, or the revision's autoscaler.

Stable keeps what it had when a rollout began: it must be able to take all traffic back. Only a live
revision is scaled by load; whatever leaves is scaled down when nothing is sent to it any more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from merit.api.defaults import effective
from merit.api.status import Leaving, Status
from merit.policy.canary.capacity import pods_for_half, pods_wanted
from merit.policy.canary.case import case_of
from merit.policy.gates.needs import brought_up
from merit.policy.observed import Arm, Observed
from merit.policy.remember import DRAIN
from merit.policy.standing.routes import by_pods
from merit.policy.times import age, seconds

SETTLE = 5.0  # seconds: a gateway may still send what its counters do not show yet


@dataclass(frozen=True, slots=True)
class Plan:
    """What one revision is to have. `key`: of its record.

    `replicas`: that many, through scale; None: an autoscaler decides within `scaling`. `budget`:
    a disruption budget stands before its pods.
    """

    short: str
    key: str
    replicas: int | None
    scaling: tuple[int, int] | None = None
    budget: bool = False


def plans(seen: Observed, status: Status, now: float) -> tuple[Plan, ...]:
    """One plan for each revision that serves, is on its way, or is kept ready."""
    found = [_stable(seen, status), _candidate(seen, status, now), _predecessor(seen, status)]
    found += [_kept(seen, status, leaving, now) for leaving in status.leaving if leaving.kept]
    return tuple(plan for plan in found if plan is not None)


def fulfilled(plan: Plan, arm: Arm) -> bool:
    """Whether everything stands as planned."""
    return (
        arm.in_sync
        and (plan.replicas is None or arm.desired == plan.replicas)
        and arm.scaling == plan.scaling
        and arm.budget == plan.budget
    )


def stays(seen: Observed, leaving: Leaving, now: float) -> bool:
    """Whether an arm that lost its traffic keeps its pods for now.

    Accepted is not programmed: the gateway may go on sending for a while. By pod count it is the
    other way round: open connections end with the pods, so these go at once.
    """
    if leaving.kept:
        return seconds(leaving.until) > now
    if by_pods(seen):
        return False
    idle = seen.idle.get(leaving.short, False) and age(leaving.since, now) >= SETTLE
    return seconds(leaving.until) > now and not idle


def still_leaving(seen: Observed, status: Status, now: float) -> tuple[Leaving, ...]:
    """The arms that still leave: those of which something is left, or shall be kept."""
    if status != seen.status:
        return status.leaving  # it has only just been decided: nothing can be gone yet
    return tuple(
        arm
        for arm in status.leaving
        if arm.short in seen.arms or (arm.kept and seconds(arm.until) > now)
    )


def _stable(seen: Observed, status: Status) -> Plan | None:
    stable = status.stable
    accepted = seen.accepted.get(f"{stable.short}-{stable.policy}") if stable else None
    if stable is None or accepted is None:
        return None
    known, arm = effective(accepted.spec), seen.arms.get(stable.short, Arm(stable.short))
    candidate, probe = status.candidate, status.verifying
    floor = candidate.floor if candidate is not None and candidate.weight > 0 else 0
    floor = max(floor, probe.floor if probe is not None else 0)
    least = min(known.replicas_max, max(known.replicas_min, stable.replicas, floor))
    budget = known.replicas_min > 1
    if known.autoscaled:
        # At 0 an autoscaler rests: somebody has to wake it.
        replicas = least if arm.desired == 0 else None
        scaling = (least, known.replicas_max)
        return Plan(stable.short, accepted.identity.key, replicas, scaling, budget)
    # Within the declared range whoever scales it is right.
    replicas = max(least, min(arm.desired, known.replicas_max))
    return Plan(stable.short, accepted.identity.key, replicas, budget=budget)


def _candidate(seen: Observed, status: Status, now: float) -> Plan | None:
    candidate = status.candidate
    if candidate is None or not brought_up(seen, status):
        return None
    accepted = seen.accepted.get(f"{candidate.short}-{candidate.policy}")
    if accepted is None:
        return None
    known, case = effective(accepted.spec), case_of(replace(seen, status=status))
    if candidate.stage == "Feasibility":
        # By pod count, all pods that serve are reached while two revisions are compared.
        reached = by_pods(seen) and status.verifying is not None
        return Plan(candidate.short, accepted.identity.key, 0 if reached else known.replicas_min)
    wanted = pods_wanted(case) if case else known.replicas_min
    if by_pods(seen) and candidate.superseded:
        replicas = 0
    elif by_pods(seen) and candidate.stage == "Withdrawn":
        arm = seen.arms.get(candidate.short, Arm(candidate.short))
        replicas = _emptied(candidate.since, arm.desired, wanted, now)
    else:
        replicas = wanted
    budget = known.replicas_min > 1 and replicas > 1
    return Plan(candidate.short, accepted.identity.key, replicas, budget=budget)


def _predecessor(seen: Observed, status: Status) -> Plan | None:
    """In a comparison: brought up before it has traffic, with enough pods for its part."""
    probe = status.verifying
    accepted = seen.accepted.get(f"{probe.short}-{probe.policy}") if probe else None
    if probe is None or accepted is None:
        return None
    known = effective(accepted.spec)
    needed = pods_for_half(seen, probe.floor, known.replicas_max)
    replicas = needed if by_pods(seen) else max(known.replicas_min, needed)
    return Plan(probe.short, accepted.identity.key, replicas, budget=known.replicas_min > 1)


def _emptied(since: str, before: int, after: int, now: float) -> int:
    """By pod count, the pods of what has no share any more, by when it lost it.

    First as many as there were, until every node leaves them out; then none, so that open
    connections end; then new ones, which nobody is connected to.
    """
    gone = age(since, now)
    return before if gone < SETTLE else 0 if gone < DRAIN else after


def _kept(seen: Observed, status: Status, leaving: Leaving, now: float) -> Plan | None:
    """The predecessor: ready to be gone back to, without traffic."""
    if seconds(leaving.until) <= now or _taken(status, leaving.short):
        return None
    entry = next((p for p in status.promoted if p.short == leaving.short), None)
    accepted = seen.accepted.get(f"{leaving.short}-{entry.policy}") if entry else None
    if entry is None or accepted is None:
        return None
    known, arm = effective(accepted.spec), seen.arms.get(leaving.short, Arm(leaving.short))
    least = max(known.replicas_min, entry.replicas)
    drained = age(leaving.since, now) >= DRAIN
    budget = known.replicas_min > 1
    if by_pods(seen):
        # While a candidate has a share the Service is before all pods that serve.
        emptied = _emptied(leaving.since, arm.desired, least, now)
        replicas = 0 if _on_its_way(status) else emptied
        return Plan(leaving.short, accepted.identity.key, replicas, budget=budget)
    idle = seen.idle.get(leaving.short, False) and age(leaving.since, now) >= SETTLE
    replicas = least if drained or idle or not arm.exists else arm.desired
    return Plan(leaving.short, accepted.identity.key, replicas, budget=budget)


def _on_its_way(status: Status) -> bool:
    candidate = status.candidate
    return candidate is not None and candidate.stage not in ("Evaluation", "Feasibility")


def _taken(status: Status, short: str) -> bool:
    named = (status.stable, status.candidate, status.verifying)
    return any(r is not None and r.short == short for r in named)
