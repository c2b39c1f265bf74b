"""All pods of an exposed candidate are down: weight 0 at once, whoever is to blame."""

from __future__ import annotations

from merit.policy.case import case_of
from merit.policy.decision import Decision
from merit.policy.observed import Arm, Observed
from merit.policy.outcome import roll_back, withdraw
from merit.policy.verdict import Verdict


def candidate_is_down(seen: Observed, now: float) -> Decision | None:
    """All pods of an exposed candidate are down: weight 0 at once, in every case."""
    case = case_of(seen)
    if case is None or case.candidate.weight == 0 or case.arm.ready > 0:
        return None
    stable = seen.status.stable
    stable_down = seen.arms.get(stable.short, Arm(stable.short)).down if stable else 0
    if case.arm.down > 0 and stable_down == 0:
        detail = case.arm.detail or "crash loop"
        verdict = Verdict("Bad", "PodsDown", f"no pod of {case.candidate.short} is up: {detail}")
        return roll_back(case, verdict, now)
    why = case.arm.blocked or "its pods are gone, and the model is not to blame"
    return withdraw(case, Verdict("NoData", "PodsGone", f"no pod is ready: {why}"), now)
