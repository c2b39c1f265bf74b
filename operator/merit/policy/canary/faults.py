"""What Kubernetes says against a candidate's pods: it counts only beyond stable's own rate."""

from __future__ import annotations

from merit.policy.canary.case import Case
from merit.policy.observed import Arm
from merit.policy.verdict import Verdict

SEVERAL = 3  # pods, of many, that must have failed
PART = 0.25  # of the pods, where several have failed
BEYOND = 2.0  # times stable's own share


def fault(case: Case) -> Verdict | None:
    """Bad if its pods end by their own fault, clearly more of them than stable's.

    One pod out of memory among eight says nothing: several must fail, or more than half of a few,
    and again and again. What the platform lacks is never counted: see `Arm.blocked`.
    """
    mine, theirs = case.arm, _stable(case)
    if not mine.crashed:
        return None
    share, beside = _share(mine), _share(theirs)
    several = mine.crashed >= SEVERAL and share >= PART
    most = share > 0.5 and mine.restarts >= 2
    if not (several or most) or share <= BEYOND * beside:
        return None
    detail = mine.detail or "they ended by themselves"
    said = f"{mine.crashed} of {max(mine.desired, mine.crashed)} pods of {mine.short}: {detail}"
    if theirs.desired:
        said += f" (stable: {theirs.crashed} of {theirs.desired})"
    return Verdict("Bad", "CrashLoop", said)


def never_ready(case: Case) -> Verdict | None:
    """Bad if not one pod became ready in time, through nobody's fault but its own."""
    arm = case.arm
    if arm.ready or arm.blocked:
        return None
    if arm.deadline_exceeded and (not case.status.stable or _stable(case).ready):
        detail = arm.detail or "its pods never became ready"
        return Verdict("Bad", "NeverReady", detail)
    return fault(case)


def _stable(case: Case) -> Arm:
    stable = case.status.stable
    return case.seen.arms.get(stable.short, Arm(stable.short)) if stable else Arm("")


def _share(arm: Arm) -> float:
    return arm.crashed / max(arm.desired, arm.crashed, 1)
