"""What must never happen: a signal of `max: "0"` whose failure mode says Rollback. Pure.

One event is enough, and it is blamed on what came last when it happened: the candidate that had
traffic, else what serves. No comparison could tell more, as no count of requests stands behind it.
A signal that was broken before says nothing against whoever came later, and neither does one that
nobody has seen whole before the event: it holds the next step, and its owner is alerted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from merit.api.spec import Spec
from merit.api.status import Status
from merit.evidence.counts import NoSample
from merit.evidence.streak import GAP, Streak
from merit.policy.canary.case import case_of
from merit.policy.canary.measured import take_back
from merit.policy.decision import Decision
from merit.policy.observed import Observed
from merit.policy.responses import effects, responds
from merit.policy.times import seconds
from merit.policy.verdict import Verdict
from merit.policy.watch.breaker import held_since
from merit.policy.watch.thresholds import PREFIX, asked, known, threshold_of

REASON = "ZeroTolerance"


@dataclass(frozen=True, slots=True)
class Event:
    """It happened, and lasts. `began`: Unix seconds of the first reading that shows it.

    `sudden`: the signal was whole before, by a reading shortly before or by what status remembers.
    """

    signal: str
    began: float
    sudden: bool
    message: str


def judge_events(seen: Observed, now: float) -> Decision | None:
    """A candidate loses its traffic at the first event that came after its first request."""
    case = case_of(seen)
    if case is None or case.candidate.weight == 0:
        return None
    spec, since = case.accepted.spec, seconds(case.candidate.rollout_since)
    held = bool(held_since(case.status))  # it was blamed already, ten minutes ago at most
    for event in events(seen, spec):
        blamed = event.began >= since and (event.sudden or held)
        if blamed and effects(spec, event.signal, "candidate").takes_back:
            return take_back(case, Verdict("Bad", REASON, event.message), now)
    return None


def event_under_live(seen: Observed, spec: Spec) -> Event | None:
    """The same of what serves: since it began to serve, or as its alarm remembers."""
    if exposed(seen):
        return None  # what is read is what the candidate declares, and is blamed on it
    since, alarm = _serves_since(seen.status), seen.status.alarm
    for event in events(seen, spec):
        remembered = alarm is not None and alarm.signal == event.signal
        if remembered or (event.sudden and event.began >= since):
            return event
    return None


def is_over(seen: Observed, spec: Spec, signal: str) -> bool:
    """The newest reading shows nothing of it any more. Nothing read is no end."""
    if exposed(seen):
        return False
    told = seen.readings.get(signal)
    read = told is not None and not isinstance(told, NoSample) and bool(told)
    return read and all(event.signal != signal for event in events(seen, spec))


def events(seen: Observed, spec: Spec) -> Iterator[Event]:
    """Everything that must never happen and does now, by the newest reading."""
    for name, query in asked(spec):
        threshold, readings = threshold_of(query), seen.readings.get(name)
        if not name.startswith(PREFIX) or not threshold.zero_tolerance:
            continue
        if responds(spec, name) != "Rollback" or readings is None or isinstance(readings, NoSample):
            continue
        streak, whole = Streak(), None
        for at, value in readings:
            beyond = threshold.beyond(value)
            streak = streak.look(beyond, at)
            whole = whole if beyond else at
        if streak.looks:
            was = known(seen, name, query) if whole is None else None
            lately = whole is not None and streak.since - whole <= GAP
            sudden = lately or (was is not None and was.verdict == "Good")
            said = f"{name} is {readings[-1][1]:.4g}, and one event is too many"
            yield Event(name, streak.since, sudden, said)


def exposed(seen: Observed) -> bool:
    """A candidate has traffic."""
    candidate = seen.status.candidate
    return candidate is not None and candidate.weight > 0


def _serves_since(status: Status) -> float:
    """When what serves was promoted, or came back because something later was rejected."""
    promoted = seconds(status.stable.promoted_at) if status.stable else 0.0
    fell = (seconds(entry.at) for entry in status.rejected if entry.stage == "Rollout")
    return max(promoted, *fell, 0.0)
