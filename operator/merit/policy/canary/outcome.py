"""How a rollout ends: promoted, rolled back, or withdrawn without a verdict on the model."""

from __future__ import annotations

from dataclasses import replace

from merit.api.status import Revision, Status
from merit.policy.canary.case import Case
from merit.policy.decision import Decision, Note, SetTraffic
from merit.policy.observed import Arm, Observed
from merit.policy.remember import decided, promoted, reject, reject_live, told
from merit.policy.times import stamp
from merit.policy.verdict import Verdict
from merit.policy.watch.listening import handed_over


def withdraw(case: Case, verdict: Verdict, now: float) -> Decision:
    """Weight 0 without rejecting; it starts again when the cause is gone."""
    candidate = case.candidate.model_copy(
        update={"stage": "Withdrawn", "weight": 0, "step": 0, "since": stamp(now)}
    )
    status = case.status.model_copy(update={"candidate": candidate, "analysis": None})
    weight, steps = case.candidate.weight, len(case.ladder)
    at = f"it was at {weight}%, step {case.candidate.step} of {steps}"
    verdict = replace(verdict, message=f"{verdict.message}; {at}")
    status = told(status, "Rollout", verdict, now)
    what = f"{case.candidate.short} {weight}% -> 0%, not rejected"
    return Decision(
        decided(status, what, verdict.message, now),
        notes=(Note("Withdrawn", f"{what}: {verdict.message}", warning=True),),
        decisive_status=True,
        fallback=all_to(case.status.stable),
        urgent=True,
    )


def all_to(back: Revision | None) -> SetTraffic | None:
    """All traffic to that revision: what a rollback does even if it cannot be recorded."""
    if back is None:
        return None
    key = f"{back.short}-{back.policy}"
    return SetTraffic(weights={back.short: 100}, key=key, serves=back.short)


def roll_back(case: Case, verdict: Verdict, now: float) -> Decision:
    """The ledger first; traffic, pin and pods follow from it."""
    old = case.candidate
    status = told(case.status, "Rollout", verdict, now)
    status = reject(status, case.accepted.identity, "Rollout", verdict, old.version, now)
    why = f"version {old.version}: {verdict.message}"
    return Decision(
        decided(status, f"{old.short} {old.weight}% -> 0%, rejected", verdict.message, now),
        notes=(Note("RolledBack", why, warning=True),),
        decisive_status=True,
        fallback=all_to(case.status.stable),
        urgent=True,
    )


def returned(
    seen: Observed, status: Status, back: Revision, verdict: Verdict, now: float
) -> Decision:
    """The stable revision is rejected and `back` serves again: the ledger first.

    Traffic follows once `back` has ready endpoints; until then what serves goes on serving.
    """
    old = status.stable
    assert old is not None
    accepted = seen.accepted[f"{old.short}-{old.policy}"]
    if status.candidate is None:  # the flow is that of a newer version in its gates otherwise
        status = told(status, "Live", verdict, now)
    status = reject_live(status, accepted.identity, back, verdict, now)
    why = f"version {old.version} gives way to {back.version}: {verdict.message}"
    ready = seen.arms.get(back.short, Arm(back.short)).ready > 0
    return Decision(
        decided(status, f"{old.short} rejected, {back.short} serves again", verdict.message, now),
        notes=(Note("RolledBack", why, warning=True),),
        decisive_status=True,
        fallback=all_to(back) if ready else None,
        urgent=True,
    )


def promote(case: Case, why: str, now: float) -> Decision:
    """The candidate becomes the stable revision; traffic follows from it."""
    old = case.candidate
    good = Verdict("Good", "Promoted", why)
    status = told(case.status, "Rollout", good, now)
    watch = handed_over(case.status, f"{old.short}-{old.policy}")
    status = promoted(status, old, case.known.keep_warm, now)
    status = status.model_copy(update={"watch": watch, "alarm": None})
    if not status.route:
        status = status.model_copy(update={"route": case.accepted.spec.rollout.route.kind})
    return Decision(
        decided(status, f"{old.short} promoted", why, now),
        notes=(Note("Promoted", f"version {old.version}: {why}"),),
        decisive_status=True,
    )
