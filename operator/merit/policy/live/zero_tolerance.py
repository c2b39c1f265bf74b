"""Zero tolerance: a signal of `max: "0"` whose failure mode says Rollback. Pure.

One event is enough. The newest revision that had traffic when it happened is to blame: the
candidate, else what serves. No comparison could show more, as the signal is no count of requests.
A signal that was already bad before is no evidence against a later revision, nor is one that was
never measured inside its bar before the event: it holds the next step, and its owner is alerted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from merit.api.spec import Spec
from merit.api.status import Status
from merit.policy.outcomes.blame import roll_back_on_evidence
from merit.policy.outcomes.incident import held_since
from merit.policy.signals.thresholds import CUSTOM_PREFIX, queries, remembered_signal, threshold_of
from merit.policy.state.context import rollout_context
from merit.policy.state.decision import Decision
from merit.policy.state.observed import Observed
from merit.policy.state.responses import effects, responds
from merit.policy.state.times import seconds
from merit.policy.state.verdict import Verdict
from merit.stats.counts import NoSample
from merit.stats.streak import GAP, Streak

REASON = "ZeroTolerance"


@dataclass(frozen=True, slots=True)
class Event:
    """A breach that lasts. `began`: Unix seconds of the first reading that shows it.

    `sudden`: the signal was inside its bar before, by a reading shortly before or by status.
    """

    signal: str
    began: float
    sudden: bool
    message: str


def judge_zero_tolerance(seen: Observed, now: float) -> Decision | None:
    """A candidate loses its traffic at the first event that came after its first request."""
    context = rollout_context(seen)
    if context is None or context.candidate.weight == 0:
        return None
    spec, since = context.accepted.spec, seconds(context.candidate.rollout_since)
    held = bool(held_since(context.status))  # it was found to blame, ten minutes ago at most
    for event in events(seen, spec):
        blamed = event.began >= since and (event.sudden or held)
        if blamed and effects(spec, event.signal, "candidate").rolls_back:
            verdict = Verdict("Bad", REASON, event.message, event.signal)
            return roll_back_on_evidence(context, verdict, now, relief=True)
    return None


def event_under_live(seen: Observed, spec: Spec) -> Event | None:
    """An event that what serves is to blame for: since it began to serve, or as its alarm says."""
    if _exposed(seen):
        return None  # the readings are of what the candidate declares, which is to blame
    since, alarm = _serves_since(seen.status), seen.status.alarm
    for event in events(seen, spec):
        known = alarm is not None and alarm.signal == event.signal
        if known or (event.sudden and event.began >= since):
            return event
    return None


def is_over(seen: Observed, spec: Spec, signal: str) -> bool:
    """The newest reading is inside the bar again. Without readings nothing is over."""
    readings = seen.measurements.readings.get(signal)
    if _exposed(seen) or not readings or isinstance(readings, NoSample):
        return False
    return all(event.signal != signal for event in events(seen, spec))


def events(seen: Observed, spec: Spec) -> Iterator[Event]:
    """All breaches of signals with zero tolerance, by their newest readings."""
    for name, query in queries(spec):
        threshold, readings = threshold_of(query), seen.measurements.readings.get(name)
        if not name.startswith(CUSTOM_PREFIX) or not threshold.zero_tolerance:
            continue
        if responds(spec, name) != "Rollback" or readings is None or isinstance(readings, NoSample):
            continue
        streak, good_at = Streak(), None
        for at, value in readings:
            beyond = threshold.beyond(value)
            streak = streak.add(beyond, at)
            good_at = good_at if beyond else at
        if streak.values:
            old = remembered_signal(seen, name, query) if good_at is None else None
            lately = good_at is not None and streak.since - good_at <= GAP
            sudden = lately or (old is not None and old.verdict == "Good")
            why = f"{name} is {readings[-1][1]:.4g}, and one event is too many"
            yield Event(name, streak.since, sudden, why)


def _exposed(seen: Observed) -> bool:
    """A candidate has traffic."""
    candidate = seen.status.candidate
    return candidate is not None and candidate.weight > 0


def _serves_since(status: Status) -> float:
    """When what serves was promoted, or came back because something later lost its traffic."""
    promoted = seconds(status.stable.promoted_at) if status.stable else 0.0
    fell = (seconds(entry.at) for entry in status.rejected if entry.stage == "Rollout")
    candidate = status.candidate
    withdrawn = candidate is not None and candidate.stage == "Withdrawn"
    back = seconds(candidate.since) if candidate is not None and withdrawn else 0.0
    return max(promoted, back, *fell)
