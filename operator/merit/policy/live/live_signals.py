"""What serves, its signals in status, and whether it is trusted."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from merit.api.defaults import Effective, effective
from merit.api.status import Revision, Signal, Status
from merit.policy.signals.gauge_signals import LOST, lost_signals
from merit.policy.state.capacity import HEADROOM
from merit.policy.state.counted_signals import CountedSignal, breach_text, counted_signals, is_gauge
from merit.policy.state.decision import Decision
from merit.policy.state.measurements import Figure
from merit.policy.state.observed import Accepted, Observed, RevisionPods
from merit.policy.state.responses import responds
from merit.policy.state.times import age, stamp
from merit.stats.counts import NoSample

FLOOR = 50  # requests in the window before a share is shown
SETTLED = 300.0  # seconds between two writes of a value that only moves
MOVED = 0.2  # share by which a value must move to be written again


@dataclass(frozen=True, slots=True)
class Live:
    """The revision that serves, with the spec that it is judged by."""

    revision: Revision
    accepted: Accepted
    settings: Effective
    pods: RevisionPods

    def failing_pods(self) -> str:
        """How its pods fail by their own fault so that too few are left; empty if they do not.

        One crash is not enough: pods must end again and again, and too few must be left.
        """
        floor = math.ceil(self.settings.replicas_min / HEADROOM)
        if not self.pods.looping or self.pods.ready >= floor:
            return ""
        return f"{self.pods.ready} of {self.settings.replicas_min} pods ready: {self.pods.detail}"


def live_of(seen: Observed) -> Live | None:
    """What serves, if its record is known."""
    stable = seen.status.stable
    accepted = seen.record(stable)
    if stable is None or accepted is None:
        return None
    return Live(stable, accepted, effective(accepted.spec), seen.pods_of(stable.short))


def update_live_signals(seen: Observed, now: float) -> Decision | None:
    """What serves is measured on; its signals are written when they turn or move a lot."""
    if live_of(seen) is None:
        return None
    return Decision(with_live_signals(seen, seen.status, now), requeue_after=seen.tuning.live_tick)


def with_live_signals(seen: Observed, status: Status, now: float) -> Status:
    """Status with the signals of what serves, if they are worth a write."""
    live = live_of(seen)
    if live is None:
        return status
    declared = counted_signals(live.accepted.spec)
    newest = tuple(_signal(seen, status, signal, now) for signal in declared)
    counted = tuple(s for s in status.signals if not is_gauge(s.name))
    rest = tuple(s for s in status.signals if is_gauge(s.name))
    if _worth_a_write(counted, newest, now):
        return status.model_copy(update={"signals": (*newest, *rest)})
    return status


def _signal(seen: Observed, status: Status, signal: CountedSignal, now: float) -> Signal:
    """A share alone is never Bad: an alarm is, or evidence for one beyond chance."""
    figure: Figure | None = seen.measurements.figures.get(signal.name)
    n = figure.n if figure else 0
    verdict = "Undecided" if figure and figure.share > signal.limit else "Good"
    if figure is None or n < FLOOR:
        verdict = "NoData"
    on = status.alarm is not None and status.alarm.signal == signal.name
    if on or any(a.signal == signal.name for a in seen.evidence.live.alarms):
        verdict = "Bad"
    value = figure.value if figure and n >= FLOOR else ""
    return Signal.model_validate(
        {"name": signal.name, "value": value, "bar": signal.text, "n": n, "verdict": verdict,
         "at": stamp(now)}
    )  # fmt: skip


def _worth_a_write(old: tuple[Signal, ...], new: tuple[Signal, ...], now: float) -> bool:
    """At once when a bar breaks or recovers, or a value is known at last; otherwise seldom."""
    if [(s.name, s.bar, s.verdict == "Bad") for s in old] != [
        (s.name, s.bar, s.verdict == "Bad") for s in new
    ]:
        return True
    if any(a.verdict == "NoData" and b.verdict != "NoData" for a, b in zip(old, new, strict=True)):
        return True
    if any(age(s.at, now) < SETTLED for s in old):
        return False
    return any(a.verdict != b.verdict or _moved(a, b) for a, b in zip(old, new, strict=True))


def _moved(old: Signal, new: Signal) -> bool:
    """By more than a fifth, and by more than chance moves a share of so many requests."""
    before, after = _magnitude(old.value), _magnitude(new.value)
    if before is None or after is None:
        return old.value != new.value
    difference = abs(after - before)
    if new.value.endswith("%") and new.n > 0:
        chance = 3 * math.sqrt(max(before, after, 1 / new.n) / new.n)
        return difference > max(MOVED * before, chance)
    return difference > MOVED * before


_SCALE = {"%": 0.01, "us": 1e-6, "ms": 1e-3, "s": 1.0, "": 1.0}


def _magnitude(value: str) -> float | None:
    match = re.search(r"([\d.]+)(%|us|ms|s|)$", value)
    return float(match[1]) * _SCALE[match[2]] if match else None


def trust(seen: Observed, status: Status) -> tuple[str, str, str]:
    """Status, reason and message of the condition `Trusted` of what serves."""
    alarm, comparison, sample = status.alarm, status.comparison, seen.measurements.live
    if comparison is not None:
        why = alarm.message if alarm else "an alarm"
        share = f"{comparison.weight}% on its predecessor {comparison.short}"
        progress = share if comparison.weight else "waiting"
        return "Unknown", "Comparing", f"{why}; being compared: {progress}"
    if alarm is not None:
        why = f"{alarm.message}; {alarm.why}" if alarm.why else alarm.message
        return "False", alarm.reason, why
    if isinstance(sample, NoSample):
        return "Unknown", sample.reason, "without measurements nothing can be said"
    bad = [breach_text(s) for s in status.signals if s.verdict == "Bad"]
    if bad:
        return "False", "Breached", ", ".join(bad)
    lost = ", ".join(f"{s.name}: {s.value}" for s in lost_signals(seen, status))
    if lost:
        return "Unknown", LOST, lost
    if sample is not None and sample.lost:
        unread = next(iter(sample.lost.values()))
        return "Unknown", unread.reason, unread.message
    counted = [s for s in status.signals if not is_gauge(s.name)]
    if not counted or any(s.verdict == "NoData" for s in counted):
        return "Unknown", "NoTraffic", "too few requests to say"
    return "True", "InsideBars", "all inside bars"


def not_comparable(seen: Observed, status: Status) -> str:
    """A breach whose failure mode says Rollback, and that no comparison can confirm, in words."""
    live = live_of(seen)
    for signal in status.signals if live is not None else ():
        if live is None or signal.verdict != "Bad" or not is_gauge(signal.name):
            continue
        if responds(live.accepted.spec, signal.name) == "Rollback":
            why = "it is not a count of requests, so nothing can confirm it by comparison"
            return f"{breach_text(signal)}; {why}: merit.dev/rollback goes back"
    return ""
