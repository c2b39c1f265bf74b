"""From what status intends to what must be done: arms, traffic, pin, ledger, and what may go."""

from __future__ import annotations

import json
from dataclasses import replace

from merit.api.defaults import effective
from merit.api.status import Status
from merit.policy.capacity import pods_wanted
from merit.policy.case import case_of
from merit.policy.decision import (
    Action,
    EnsureArm,
    RemoveArm,
    RemoveJob,
    SetTraffic,
    WriteLedger,
)
from merit.policy.evaluation import expected_job
from merit.policy.observed import Accepted, Arm, Observed
from merit.policy.pin import pin_action
from merit.policy.times import seconds


def converge(seen: Observed, status: Status, now: float) -> tuple[Action, ...]:
    """The actions of one pass, at most one of them decisive: traffic before pin before tidying."""
    actions: list[Action] = list(_arms(seen, status))
    traffic = _traffic(seen, status)
    if traffic is not None:
        return (*actions, traffic)
    pin = pin_action(seen, status)
    if pin is not None:
        return (*actions, pin)
    actions += _tidy(seen, status, now)
    if not seen.ledger_in_sync and not seen.conflict:
        actions.append(WriteLedger(ledger_content(status)))
    return tuple(actions)


def wanted_weights(status: Status) -> dict[str, int]:
    """Percent per revision that status intends; empty while nothing may serve."""
    candidate, stable = status.candidate, status.stable
    if stable is None:
        return {}
    weight = candidate.weight if candidate else 0
    weights = {stable.short: 100 - weight}
    if candidate is not None and weight > 0:
        weights[candidate.short] = weight
    return {short: share for short, share in weights.items() if share > 0}


def leaving_until(status: Status, now: float) -> float | None:
    """Seconds until the next arm may go."""
    due = [seconds(arm.until) - now for arm in status.leaving]
    return max(0.5, min(due)) if due else None


def _accepted(seen: Observed, short: str, policy: str) -> Accepted | None:
    return seen.accepted.get(f"{short}-{policy}")


def _arms(seen: Observed, status: Status) -> list[Action]:
    wanted: list[tuple[str, Accepted | None]] = []
    if status.stable is not None:
        wanted.append(
            (status.stable.short, _accepted(seen, status.stable.short, status.stable.policy))
        )
    if status.candidate is not None and status.candidate.stage not in ("Evaluation", "Feasibility"):
        candidate = status.candidate
        wanted.append((candidate.short, _accepted(seen, candidate.short, candidate.policy)))
    actions: list[Action] = []
    for short, accepted in wanted:
        if accepted is None:
            continue
        arm = seen.arms.get(short, Arm(short=short))
        replicas = _replicas(seen, status, accepted)
        if not arm.in_sync or arm.desired != replicas:
            actions.append(EnsureArm(key=accepted.identity.key, replicas=replicas))
    return actions


def _replicas(seen: Observed, status: Status, accepted: Accepted) -> int:
    case = case_of(replace(seen, status=status))
    if case is not None and case.candidate.short == accepted.identity.short:
        return pods_wanted(case)
    return effective(accepted.spec).replicas_min


def _traffic(seen: Observed, status: Status) -> SetTraffic | None:
    weights, stable = wanted_weights(status), status.stable
    if not weights or stable is None or seen.route.foreign or seen.service_foreign:
        return None
    now = dict(seen.route.weights)
    if now == weights and seen.route.in_sync and seen.service_selects == stable.short:
        return None
    raised = tuple(s for s, w in weights.items() if w > now.get(s, 0) and s != stable.short)
    if status.candidate is None and stable.short not in now:
        raised = (stable.short,)
    return SetTraffic(
        weights=weights,
        key=f"{stable.short}-{stable.policy}",
        serves=stable.short,
        check_ready=raised,
    )


def _tidy(seen: Observed, status: Status, now: float) -> list[Action]:
    """Arms and Jobs that nothing refers to any more."""
    kept = {r.short for r in (status.stable, status.candidate) if r is not None}
    kept |= set(seen.route.weights)
    for arm in status.leaving:
        if seconds(arm.until) > now:
            kept.add(arm.short)
    actions: list[Action] = [
        RemoveArm(short)
        for short, arm in sorted(seen.arms.items())
        if arm.exists and short not in kept
    ]
    current = expected_job(replace(seen, status=status))
    actions += [RemoveJob(name) for name in seen.jobs if name != current]
    return actions


def ledger_content(status: Status) -> dict[str, str]:
    """What outlives the resource: rejected and promoted entries, tokens, the last lines."""
    dumped = status.model_dump(by_alias=True, mode="json")
    parts = ("rejected", "promoted", "lastHandled", "handled", "decisions")
    return {part: json.dumps(dumped[part], sort_keys=True) for part in parts}


def worth_keeping(status: Status) -> bool:
    """Whether there is anything yet that must outlive the resource."""
    return bool(status.rejected or status.promoted or status.last_handled)
