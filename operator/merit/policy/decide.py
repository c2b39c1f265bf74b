"""One pass, from one view: the first rule that answers wins. Pure.

The rules stand in the order of safety. Status is the single place of intent: a rule moves it, and
`converge` makes the world follow. A verdict is therefore on record before traffic moves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from merit.api.status import Status
from merit.policy.accept import judge_anew, supersede, take_up
from merit.policy.canary.down import candidate_is_down, pods_fail
from merit.policy.canary.judging import judge_evidence, measured_anew, weighed
from merit.policy.canary.lost_route import route_is_gone
from merit.policy.canary.measured import with_evidence
from merit.policy.canary.rollout import roll_out
from merit.policy.canary.uncounted import with_uncounted
from merit.policy.decision import Decision, Note
from merit.policy.evaluation.gate import evaluate
from merit.policy.feasibility.gate import check_feasibility
from merit.policy.gates.bypass import ends_in, lift, see_bypass, skip
from merit.policy.observed import Observed
from merit.policy.people.by_hand import abort, approve, promote_now, retry, roll_back_live
from merit.policy.remember import bounded
from merit.policy.retrain import retraining
from merit.policy.standing.converge import converge, leaving_until, settling
from merit.policy.standing.pin import pin_remembers
from merit.policy.standing.records import records_stand
from merit.policy.standing.restore import restore
from merit.policy.telling.conditions import invalid
from merit.policy.telling.present import present
from merit.policy.watch.breach import raise_alarm
from merit.policy.watch.drift import judge_drift, with_drift
from merit.policy.watch.listening import listened
from merit.policy.watch.live import watch
from merit.policy.watch.never import judge_events
from merit.policy.watch.probe import compared, verify

Rule = Callable[[Observed, float], Decision | None]


def being_deleted(seen: Observed, now: float) -> Decision | None:
    """Owner references collect the children; nothing is written any more."""
    return Decision(seen.status) if seen.deleting else None


def frozen(seen: Observed, now: float) -> Decision | None:
    """An invalid spec, or a name that is somebody else's: nothing rises, what serves goes on."""
    if invalid(seen) is None and not seen.conflict:
        return None
    candidate = seen.status.candidate
    if candidate is not None and candidate.weight > 0:
        return Decision(with_evidence(seen), again=seen.tuning.tick)
    return Decision(seen.status, again=60.0 if seen.conflict or seen.refused else None)


RULES: tuple[Rule, ...] = (
    being_deleted,
    restore,  # status was lost: the ledger, or the route, says what serves
    pin_remembers,  # ... and the pin, what was rejected
    abort,  # a human's no always wins
    candidate_is_down,
    pods_fail,
    route_is_gone,
    judge_events,  # what must never happen has happened
    judge_drift,  # only where a failure mode says Rollback
    judge_evidence,  # the traffic goes back the moment the evidence turns
    roll_back_live,
    verify,  # a live revision beside its predecessor
    raise_alarm,
    frozen,  # everything above judges by the last accepted spec
    records_stand,
    see_bypass,
    supersede,
    judge_anew,
    measured_anew,
    retry,
    approve,
    lift,
    take_up,
    skip,  # what a bypass names
    evaluate,  # gate 1
    check_feasibility,  # gate 2
    promote_now,
    roll_out,
    watch,
)


def warned(seen: Observed) -> tuple[Note, ...]:
    """An Event for each bound that is no bucket edge, when it is first seen."""
    old = seen.status.condition("MetricsAvailable")
    before = old.message if old else ""
    return tuple(Note(why, said, True) for why, said in seen.warnings if said not in before)


TOLD = {"Reconciling": "RollbackBlocked", "OwnershipConflict": "OwnershipConflict"}


def turned(seen: Observed, status: Status) -> tuple[Note, ...]:
    """An Event for what keeps the operator from doing what it decided, when it begins."""
    now = ((status.condition(kind), seen.status.condition(kind), why) for kind, why in TOLD.items())
    return tuple(
        Note(why, new.message, warning=True)
        for new, old, why in now
        if new is not None and new.reason == why and (old is None or old.reason != why)
    )


def decide(seen: Observed, now: float) -> Decision:
    """What to do, from what is seen, at Unix time `now`."""
    seen = weighed(compared(listened(seen)))
    answers = (answer for rule in RULES if (answer := rule(seen, now)) is not None)
    decision = next(answers, Decision(seen.status))
    if seen.deleting:
        return decision
    watched = with_uncounted(seen, with_drift(seen, decision.status, now), now)
    decision = replace(decision, status=bounded(seen, watched))
    training = None if decision.decisive_status else retraining(seen, decision.status, now)
    if training is not None:
        notes = (*decision.notes, *training.notes)
        decision = replace(decision, status=training.status, notes=notes)
    status = present(seen, decision.status, now)
    decision = replace(decision, notes=(*decision.notes, *warned(seen), *turned(seen, status)))
    if training is None:
        return replace(decision, status=status)
    actions = (*decision.actions, *converge(seen, decision.status, now), *training.actions)
    looks = seen.tuning.tick if status.verifying is not None else None
    times = (
        decision.again,
        looks,
        leaving_until(status, now),
        ends_in(status, now),
        settling(seen, status, now),
    )
    due = [seconds for seconds in times if seconds is not None]
    return replace(decision, status=status, actions=actions, again=min(due) if due else None)
