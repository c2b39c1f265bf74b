"""An alarm about what serves: what it is about, what is done, and what prevents more.

An alarm is not a verdict: without a comparison a bad model looks like a bad day. So evidence about
what serves leads to a comparison with its predecessor at most.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from merit.api.live_status import Alarm
from merit.api.status import Status
from merit.policy.live.comparison import PODS, begin_comparison, in_the_way, roll_back_compared
from merit.policy.live.live_signals import Live, live_of, with_live_signals
from merit.policy.live.zero_tolerance import REASON, event_under_live, is_over
from merit.policy.outcomes.incident import may_hold
from merit.policy.state.decision import Decision, Note, decisive
from merit.policy.state.observed import Observed
from merit.policy.state.responses import responds
from merit.policy.state.times import age, seconds, stamp
from merit.policy.state.transitions import predecessor
from merit.policy.state.verdict import Verdict

OVER_FOR_NOW = ("NotConfirmed", "SharedFailure", "PredecessorDown")


@dataclass(frozen=True, slots=True)
class Breach:
    """What is wrong with what serves, and what it rests on.

    `kind`: `Pods` (they fail), `Event` (of a signal of zero tolerance), or `Score` (evidence beyond
    chance, which a comparison has to confirm).
    """

    signal: str
    reason: str
    message: str
    kind: Literal["Pods", "Event", "Score"] = "Score"


@dataclass(frozen=True, slots=True)
class Hindrance:
    """Why nothing is rolled back: a reason, and the same in words."""

    reason: str
    why: str


def raise_alarm(seen: Observed, now: float) -> Decision | None:
    """Begin, change or end the alarm about what serves; silent while nothing changes."""
    live, old = live_of(seen), seen.status.alarm
    if live is None or seen.status.comparison is not None:
        return None
    breach = _breach(seen, live)
    if breach is None:
        return _ended(seen, live, old, now) if old is not None else None
    hindrance = _hindrance(seen, live, breach, now)
    if hindrance is None and seen.counting and breach.kind != "Pods":
        return None  # the others of its poll are being counted
    same = old is not None and old.signal == breach.signal
    waiting = hindrance is not None and hindrance.reason == "Cooldown"
    if waiting and same and old and old.held in OVER_FOR_NOW:
        return None  # the result of the comparison says more than that the next one waits
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
    status = with_live_signals(seen, seen.status.model_copy(update={"alarm": alarm}), now)
    if hindrance is None:
        return _act(seen, live, breach, status, now)
    why = f"{alarm.message}; {alarm.why}"
    note = Note(alarm.reason, f"version {live.revision.version}: {why}", warning=True)
    return decisive(status, f"alarm: {alarm.signal}", why, now, note)


def _breach(seen: Observed, live: Live) -> Breach | None:
    """The gravest of what is wrong now: pods, an event, what leads to a rollback, the rest."""
    failing = live.failing_pods()
    if failing:
        return Breach(PODS, "CrashLoop", failing, "Pods")
    event = event_under_live(seen, live.accepted.spec)
    if event is not None:
        return Breach(event.signal, REASON, event.message, "Event")
    alarms = seen.evidence.live.alarms
    first = [a for a in alarms if responds(live.accepted.spec, a.signal) == "Rollback"]
    worst = next(iter((*first, *alarms)), None)
    return Breach(worst.signal, worst.reason, worst.message) if worst else None


def _hindrance(seen: Observed, live: Live, breach: Breach, now: float) -> Hindrance | None:
    """What prevents a comparison or a rollback; None if nothing does."""
    spec, status = live.accepted.spec, seen.status
    response = "Rollback" if breach.kind == "Pods" else responds(spec, breach.signal)
    if response != "Rollback":
        return Hindrance("AlertOnly", f"its failure mode asks for {response}")
    if not spec.rollback_policy.automatic:
        return Hindrance("NotAutomatic", "rollbackPolicy.automatic is false")
    before = predecessor(status, seen.recorded.accepted)
    if before is None:
        return Hindrance("NoHealthyRevision", "there is no earlier revision to go back to")
    if age(live.revision.promoted_at, now) > live.settings.within:
        return Hindrance("TooOld", f"promoted {live.revision.promoted_at}, before `within`")
    if in_the_way(status, comparing=breach.kind == "Score"):
        assert status.candidate is not None
        return Hindrance("CandidateExposed", f"{status.candidate.short} is being rolled out")
    if now < seconds(status.cooldown_until):
        return Hindrance("Cooldown", f"the next rollback waits until {status.cooldown_until}")
    if breach.kind != "Score" and seen.pods_of(before.short).looping:
        return Hindrance("SharedFailure", f"the pods of its predecessor {before.short} fail too")
    if seen.incident and breach.kind != "Pods" and may_hold(status, now):
        return Hindrance("FleetIncident", seen.incident)
    return None


def _act(seen: Observed, live: Live, breach: Breach, status: Status, now: float) -> Decision:
    """Roll back at once what is certain, compare what is not."""
    before = predecessor(seen.status, seen.recorded.accepted)
    assert before is not None
    pods = seen.pods_of(before.short)
    verdict = Verdict("Bad", breach.reason, breach.message, breach.signal)
    if breach.kind == "Event":
        return replace(roll_back_compared(seen, live, before, status, verdict, now), scored=True)
    if breach.kind == "Pods" and pods.in_sync and pods.ready > 0:
        return roll_back_compared(seen, live, before, status, verdict, now)
    decision = begin_comparison(live, before, status, breach.message, now)
    return replace(decision, scored=breach.kind == "Score")


def _ended(seen: Observed, live: Live, old: Alarm, now: float) -> Decision | None:
    if old.reason == REASON:
        if not is_over(seen, live.accepted.spec, old.signal):
            return None
    elif old.signal in seen.evidence.live.elevated:
        return None
    if old.signal == PODS and live.pods.ready < live.settings.replicas_min:
        return None
    status = with_live_signals(seen, seen.status.model_copy(update={"alarm": None}), now)
    why = f"{old.signal} is inside its bar again"
    note = Note("Recovered", f"version {live.revision.version}: {why}")
    return decisive(status, "the alarm is over", why, now, note)
