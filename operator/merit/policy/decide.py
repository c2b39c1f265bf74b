"""One pass, from one view: the first rule that answers wins. Pure.

The rules stand in the order of safety. Status is the single place of intent: a rule moves it, and
`converge` makes the world follow. A verdict is therefore on record before traffic moves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from merit.api.status import Revision, Status
from merit.policy.accept import judge_anew, supersede, take_up
from merit.policy.conditions import invalid
from merit.policy.converge import converge, leaving_until
from merit.policy.decision import Decision
from merit.policy.down import candidate_is_down
from merit.policy.evaluation import evaluate
from merit.policy.feasibility import check_feasibility
from merit.policy.judging import judge_evidence
from merit.policy.live import watch
from merit.policy.observed import Observed
from merit.policy.pin import pin_remembers
from merit.policy.present import present
from merit.policy.remember import decided, rejection
from merit.policy.rollout import roll_out

Rule = Callable[[Observed, float], Decision | None]


def being_deleted(seen: Observed, now: float) -> Decision | None:
    """Owner references collect the children; nothing is written any more."""
    return Decision(seen.status) if seen.deleting else None


def ledger_remembers(seen: Observed, now: float) -> Decision | None:
    """An object without status whose ledger outlived it: rejected stays rejected."""
    if seen.seen_before or seen.ledger is None:
        return None
    old = seen.ledger.status
    if not old.rejected and not old.promoted:
        return None
    status = Status(
        rejected=old.rejected,
        promoted=old.promoted,
        last_handled=old.last_handled,
        decisions=old.decisions,
        stable=_still_stable(seen, old),
    )
    status = decided(status, "restored", "from the ledger that outlived the object", now)
    return Decision(status, decisive_status=True)


def _still_stable(seen: Observed, old: Status) -> Revision | None:
    """The newest promoted revision that is not rejected and whose record is still there.

    Without it a lost status would make the next version a first deployment: all traffic at once.
    """
    for entry in old.promoted:
        accepted = seen.accepted.get(f"{entry.short}-{entry.policy}")
        if accepted is not None and rejection(old, accepted.identity) is None:
            return Revision(
                revision=entry.revision,
                short=entry.short,
                policy=entry.policy,
                version=entry.version,
                promoted_at=entry.at,
            )
    return None


def frozen(seen: Observed, now: float) -> Decision | None:
    """An invalid spec, or a name that is somebody else's: nothing rises, what serves goes on."""
    if invalid(seen) is None and not seen.conflict:
        return None
    return Decision(seen.status, again=60.0 if seen.conflict or seen.refused else None)


RULES: tuple[Rule, ...] = (
    being_deleted,
    ledger_remembers,
    pin_remembers,  # status was lost: what the pin says was rejected stays so
    candidate_is_down,
    judge_evidence,  # the traffic goes back the moment the evidence turns
    frozen,  # everything above judges by the last accepted spec
    supersede,
    judge_anew,
    take_up,
    evaluate,  # gate 1
    check_feasibility,  # gate 2
    roll_out,
    watch,
)


def decide(seen: Observed, now: float) -> Decision:
    """What to do, from what is seen, at Unix time `now`."""
    answers = (answer for rule in RULES if (answer := rule(seen, now)) is not None)
    decision = next(answers, Decision(seen.status))
    if seen.deleting:
        return decision
    status = present(seen, decision.status, now)
    if decision.decisive_status:
        return replace(decision, status=status)
    actions = (*decision.actions, *converge(seen, decision.status, now))
    due = [s for s in (decision.again, leaving_until(status, now)) if s is not None]
    return replace(decision, status=status, actions=actions, again=min(due) if due else None)
