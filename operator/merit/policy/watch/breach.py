"""An alarm about what serves: what it is about, what is done, and what keeps more from being done.

An alarm is not a verdict. Without something to compare with, nobody can tell a bad model from a
bad day; so it leads to a comparison with the predecessor at most.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from merit.api.status import Status
from merit.api.watched import Alarm
from merit.policy.decision import Decision, Note
from merit.policy.observed import Arm, Observed
from merit.policy.remember import decided, predecessor
from merit.policy.responses import responds
from merit.policy.times import age, seconds, stamp
from merit.policy.verdict import Verdict
from merit.policy.watch.breaker import may_hold
from merit.policy.watch.live import Live, live_of, told_signals
from merit.policy.watch.never import REASON, event_under_live, is_over
from merit.policy.watch.probe import PODS, begin, in_the_way, take_back

OVER_FOR_NOW = ("NotConfirmed", "SharedFailure", "PredecessorDown")


@dataclass(frozen=True, slots=True)
class Breach:
    """What is wrong with what serves, and what it rests on.

    `Pods`: Kubernetes says so. `Event`: what must never happen did. `Score`: chance cannot explain
    it, and only a comparison can tell whom it is to be blamed on.
    """

    signal: str
    reason: str
    message: str
    kind: Literal["Pods", "Event", "Score"] = "Score"


@dataclass(frozen=True, slots=True)
class Hindrance:
    """Why nothing is rolled back: one of the reasons, and words."""

    reason: str
    why: str


def raise_alarm(seen: Observed, now: float) -> Decision | None:
    """Begin, change or end the alarm about what serves; silent while nothing changes."""
    live, old = live_of(seen), seen.status.alarm
    if live is None or seen.status.verifying is not None:
        return None
    breach = _breach(seen, live)
    if breach is None:
        return _ended(seen, live, old, now) if old is not None else None
    hindrance = _hindrance(seen, live, breach, now)
    same = old is not None and old.signal == breach.signal
    waiting = hindrance is not None and hindrance.reason == "Cooldown"
    if waiting and same and old and old.held in OVER_FOR_NOW:
        return None  # what the comparison said is more than that the next one waits
    alarm = Alarm(
        signal=breach.signal,
        reason=breach.reason,
        message=old.message if same and old else breach.message,
        at=old.at if same and old else stamp(now),
        held=hindrance.reason if hindrance else "",
        why=hindrance.why if hindrance else "",
    )
    if same and old == alarm:
        return None
    status = told_signals(seen, seen.status.model_copy(update={"alarm": alarm}), now)
    if hindrance is None:
        return _act(seen, live, breach, status, now)
    words = f"version {live.revision.version}: {alarm.message}; {alarm.why}"
    return Decision(
        decided(status, f"alarm: {alarm.signal}", f"{alarm.message}; {alarm.why}", now),
        notes=(Note(alarm.reason, words, warning=True),),
        decisive_status=True,
    )


def _breach(seen: Observed, live: Live) -> Breach | None:
    """The gravest of what is wrong now: pods first, then what would take it back, then the rest."""
    failing = live.failing_pods()
    if failing:
        return Breach(PODS, "CrashLoop", failing, "Pods")
    event = event_under_live(seen, live.accepted.spec)
    if event is not None:
        return Breach(event.signal, REASON, event.message, "Event")
    monitor = seen.monitor
    found = monitor.alarms() if monitor else ()
    first = [a for a in found if responds(live.accepted.spec, a.signal) == "Rollback"]
    worst = next(iter((*first, *found)), None)
    return Breach(worst.signal, worst.reason, worst.message) if worst else None


def _hindrance(seen: Observed, live: Live, breach: Breach, now: float) -> Hindrance | None:
    """What keeps a breach from being compared and rolled back; None if nothing does."""
    spec, status = live.accepted.spec, seen.status
    response = "Rollback" if breach.kind == "Pods" else responds(spec, breach.signal)
    if response != "Rollback":
        return Hindrance("AlertOnly", f"its failure mode asks for {response}")
    if not spec.rollback_policy.automatic:
        return Hindrance("NotAutomatic", "rollbackPolicy.automatic is false")
    before = predecessor(status, seen.accepted)
    if before is None:
        return Hindrance("NoHealthyRevision", "there is no earlier revision to go back to")
    if age(live.revision.promoted_at, now) > live.known.within:
        return Hindrance("TooOld", f"promoted {live.revision.promoted_at}, before `within`")
    if in_the_way(status, comparing=breach.kind == "Score"):
        assert status.candidate is not None
        return Hindrance("CandidateExposed", f"{status.candidate.short} is earning traffic")
    if now < seconds(status.cooldown_until):
        return Hindrance("Cooldown", f"the next rollback waits until {status.cooldown_until}")
    if breach.kind != "Score" and seen.arms.get(before.short, Arm(before.short)).looping:
        return Hindrance("SharedFailure", f"the pods of its predecessor {before.short} fail too")
    if seen.incident and breach.kind != "Pods" and may_hold(status, now):
        return Hindrance("FleetIncident", seen.incident)
    return None


def _act(seen: Observed, live: Live, breach: Breach, status: Status, now: float) -> Decision:
    before = predecessor(seen.status, seen.accepted)
    assert before is not None
    arm = seen.arms.get(before.short, Arm(before.short))
    verdict = Verdict("Bad", breach.reason, breach.message)
    if breach.kind == "Event":
        return replace(take_back(seen, live, before, status, verdict, now), scored=True)
    if breach.kind == "Pods" and arm.in_sync and arm.ready > 0:
        return take_back(seen, live, before, status, verdict, now)
    return begin(live, before, status, breach.message, now, scored=breach.kind == "Score")


def _ended(seen: Observed, live: Live, old: Alarm, now: float) -> Decision | None:
    monitor = seen.monitor
    if old.reason == REASON:
        if not is_over(seen, live.accepted.spec, old.signal):
            return None
    elif old.signal != PODS and monitor is not None and not monitor.calm(old.signal):
        return None
    if old.signal == PODS and live.arm.ready < live.known.replicas_min:
        return None
    status = seen.status.model_copy(update={"alarm": None})
    status = told_signals(seen, status, now)
    said = f"{old.signal} is inside its bar again"
    return Decision(
        decided(status, "the alarm is over", said, now),
        notes=(Note("Recovered", f"version {live.revision.version}: {said}"),),
        decisive_status=True,
    )
