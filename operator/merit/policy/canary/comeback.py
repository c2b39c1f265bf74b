"""When, where and on what evidence a withdrawn candidate starts again."""

from __future__ import annotations

from dataclasses import replace

from merit.api.status import Status
from merit.evidence.ladder import first_step
from merit.policy.canary.capacity import pods_wanted
from merit.policy.canary.case import case_of
from merit.policy.observed import Observed


def withdrawn_for_good(status: Status) -> bool:
    """It ran out of patience, not of pods or metrics: only people bring it back."""
    return any(s.stage == "Rollout" and s.reason == "Inconclusive" for s in status.flow)


def comeback(seen: Observed, status: Status) -> str:
    """What a withdrawn candidate waits for, as one sentence."""
    if withdrawn_for_good(status):
        return f"nothing until new content, new bars, or kubectl merit retry {seen.name}"
    case = case_of(replace(seen, status=status))
    if case is None:
        return "start again when the cause is gone"
    step = first_step(case.ladder, case.known.rps, case.known.explicit_steps)
    needed = min(case.known.replicas_min, pods_wanted(case))
    lacking = f" (now: {case.arm.blocked})" if case.arm.blocked else ""
    return (
        f"start again at {case.ladder[step]}%, with no evidence carried over, when {needed} of its "
        f"pods are ready{lacking}, metrics are fresh and the route stands"
    )
