"""What still acts when `decide` has raised: by a defect of ours, or on a state that nobody foresaw.

First what cannot be read is dropped, once, which costs time and never a verdict. If that is not the
cause, every rule that takes traffic away acts, isolated from the others, and no share rises. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ParamSpec, TypeVar

from merit.api.status import Status
from merit.policy.decide import EVIDENCE, SAFETY, decide
from merit.policy.desired.converge import converge
from merit.policy.desired.pin import pin_action
from merit.policy.desired.traffic import diversions, traffic_action, wanted_weights
from merit.policy.outcomes.roll_back import with_evidence
from merit.policy.report.conditions import with_failure
from merit.policy.report.present import present
from merit.policy.state.decision import (
    DROPPED,
    Action,
    ClearPin,
    Decision,
    Divert,
    EnsureRevision,
    RemoveRevision,
    SetTraffic,
    WriteLedger,
    WritePin,
    dropped,
)
from merit.policy.state.observed import Observed
from merit.policy.state.route_kind import by_pods
from merit.policy.state.times import age

P = ParamSpec("P")
T = TypeVar("T")

# Of status, each of which may be lost: it is measured again.
PARTS = ("analysis", "comparison", "watch", "drift", "signals")
DROPPED_FOR = 3600.0  # seconds: if it fails again within them, no part is what is wrong
IDLE = 60.0  # seconds until the next attempt while nobody is exposed
HARMLESS = (EnsureRevision, Divert, WritePin, ClearPin, WriteLedger)


def decide_despite(seen: Observed, now: float) -> Decision:
    """The answer of a pass in which `decide` raised `seen.failed`, at Unix time `now`."""
    return _attempt(_without_unreadable, seen, now) or _relieve(seen, now)


def _without_unreadable(seen: Observed, now: float) -> Decision | None:
    """Drop the part of status without which the decision is made; None if there is no such part."""
    before = (d for d in seen.status.decisions if d.what.startswith(DROPPED))
    if any(age(d.at, now) < DROPPED_FOR for d in before):
        return None
    for parts in (*((part,) for part in PARTS), PARTS):
        status = _without(seen.status, parts)
        if status == seen.status:
            continue
        if _attempt(decide, replace(seen, status=status, failed=""), now) is not None:
            return dropped(status, parts, seen.failed, now)
    return None


def _without(status: Status, parts: tuple[str, ...]) -> Status:
    """Of a comparison only its evidence is dropped."""
    update: dict[str, object] = {part: getattr(Status(), part) for part in parts}
    if "comparison" in update and status.comparison is not None:
        update["comparison"] = status.comparison.model_copy(update={"analysis": None})
    return status.model_copy(update=update)


def _relieve(seen: Observed, now: float) -> Decision:
    for gather in EVIDENCE:
        seen = _attempt(gather, seen) or seen
    answers = (_attempt(rule, seen, now) for rule in SAFETY)
    safe = (a for a in answers if a is not None and not _raises(seen.status, a.status))
    decision = next(safe, Decision(with_evidence(seen)))
    status = _attempt(present, seen, decision.status, now)
    if status is None:
        status = with_failure(seen, decision.status, now)
    exposed = len(wanted_weights(status)) > 1
    wait = decision.requeue_after or (seen.tuning.tick if exposed else IDLE)
    decision = replace(decision, status=status, requeue_after=wait)
    if seen.deleting or decision.decisive_status:
        return decision
    actions = _attempt(converge, seen, status, now)
    if actions is None:
        actions = _decisive_actions(seen, status, now)
    return replace(decision, actions=tuple(a for a in actions if _may_act(seen, a)))


def _raises(before: Status, after: Status) -> bool:
    """Whether a revision beside what serves gets more traffic, or is brought up to get some."""
    had, gets = wanted_weights(before), wanted_weights(after)
    serves = after.stable.short if after.stable is not None else ""
    more = any(share > had.get(short, 0) for short, share in gets.items() if short != serves)
    return more or (before.comparison is None and after.comparison is not None)


def _decisive_actions(seen: Observed, status: Status, now: float) -> tuple[Action, ...]:
    """Traffic and pin alone, where the rest of what must exist cannot be worked out."""
    traffic = _attempt(traffic_action, seen, status, now)
    pin = _attempt(pin_action, seen, status, now)
    diverted = _attempt(diversions, seen, status)
    return (*(diverted or ()), *(action for action in (traffic, pin) if action is not None))


def _may_act(seen: Observed, action: Action) -> bool:
    """Whether it takes traffic away or is harmless. By pod count a share goes with its pods."""
    if isinstance(action, SetTraffic):
        return not action.raises
    return isinstance(action, HARMLESS) or (isinstance(action, RemoveRevision) and by_pods(seen))


def _attempt(ask: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """Its answer; None if it raises, too."""
    try:
        return ask(*args, **kwargs)
    except Exception:
        return None
