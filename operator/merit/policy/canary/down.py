"""All pods of an exposed candidate are down: weight 0 at once, whoever is to blame."""

from __future__ import annotations

from merit.policy.canary.case import case_of
from merit.policy.canary.faults import fault
from merit.policy.canary.outcome import roll_back, withdraw
from merit.policy.decision import Decision
from merit.policy.observed import Observed
from merit.policy.verdict import Verdict


def candidate_is_down(seen: Observed, now: float) -> Decision | None:
    """All pods of an exposed candidate are down: weight 0 at once, in every case.

    It is rejected if that is its fault, and with `automatic: false` by nobody but a person.
    """
    case = case_of(seen)
    if case is None or case.candidate.weight == 0 or case.arm.ready > 0:
        return None
    bad = fault(case)
    if bad is not None:
        said = f"no pod is up: {bad.message}"
        if case.accepted.spec.rollback_policy.automatic:
            return roll_back(case, Verdict("Bad", "PodsDown", said), now)
        return withdraw(case, Verdict("NoData", "PodsDown", said), now)
    why = case.arm.blocked or case.arm.detail or "they are gone, and the model is not to blame"
    return withdraw(case, Verdict("NoData", "PodsGone", f"no pod is ready: {why}"), now)


def pods_fail(seen: Observed, now: float) -> Decision | None:
    """Pods of an exposed candidate end by their own fault, clearly more of them than stable's."""
    case = case_of(seen)
    if case is None or case.candidate.weight == 0:
        return None
    bad = fault(case)
    if bad is None or not case.accepted.spec.rollback_policy.automatic:
        return None
    return roll_back(case, bad, now)
