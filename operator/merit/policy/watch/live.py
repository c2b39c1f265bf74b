"""What serves, its signals as people see them, and whether it is trusted."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from merit.api.defaults import Effective, effective
from merit.api.status import Condition, Revision, Signal, Status
from merit.evidence.counts import NoSample
from merit.policy.canary.capacity import HEADROOM
from merit.policy.decision import Decision
from merit.policy.observed import Accepted, Arm, Figure, Observed
from merit.policy.responses import responds
from merit.policy.signals import Declared, breach, declared, is_uncounted
from merit.policy.times import age, stamp

FLOOR = 50  # requests in the window before a share says anything
SETTLED = 300.0  # seconds between two tellings of a value that merely moves
MOVED = 0.2  # by so much of itself a value must move to be told anew


@dataclass(frozen=True, slots=True)
class Live:
    """The revision that serves, with the spec that it is judged by."""

    revision: Revision
    accepted: Accepted
    known: Effective
    arm: Arm

    def failing_pods(self) -> str:
        """How its pods fail by their own fault so that too few are left; empty if they do not.

        One crash is nobody's verdict: pods must end again and again, and too few be left of them.
        """
        floor = math.ceil(self.known.replicas_min / HEADROOM)
        if not self.arm.looping or self.arm.ready >= floor:
            return ""
        return f"{self.arm.ready} of {self.known.replicas_min} pods ready: {self.arm.detail}"


def live_of(seen: Observed) -> Live | None:
    """What serves, if its record is known."""
    stable = seen.status.stable
    accepted = seen.accepted.get(f"{stable.short}-{stable.policy}") if stable else None
    if stable is None or accepted is None:
        return None
    arm = seen.arms.get(stable.short, Arm(short=stable.short))
    return Live(stable, accepted, effective(accepted.spec), arm)


def watch(seen: Observed, now: float) -> Decision | None:
    """The last rule: what serves is measured on and on; told on transitions and large moves."""
    if live_of(seen) is None:
        return None
    return Decision(told_signals(seen, seen.status, now), again=seen.tuning.live_tick)


def told_signals(seen: Observed, status: Status, now: float) -> Status:
    """Status with the signals of what serves, as they should be told now."""
    live = live_of(seen)
    if live is None:
        return status
    found = tuple(_signal(seen, status, signal, now) for signal in declared(live.accepted.spec))
    counted = tuple(s for s in status.signals if not is_uncounted(s.name))
    rest = tuple(s for s in status.signals if is_uncounted(s.name))
    if _worth_telling(counted, found, now):
        return status.model_copy(update={"signals": (*found, *rest)})
    return status


def _signal(seen: Observed, status: Status, signal: Declared, now: float) -> Signal:
    """A share alone is never Bad: only a score that chance cannot explain is, or an alarm on it."""
    figure: Figure | None = seen.figures.get(signal.name)
    n = figure.n if figure else 0
    monitor, alarm = seen.monitor, status.alarm
    verdict = "Undecided" if figure and figure.share > signal.limit else "Good"
    if figure is None or n < FLOOR:
        verdict = "NoData"
    on = alarm is not None and alarm.signal == signal.name
    if on or (monitor and any(a.signal == signal.name for a in monitor.alarms())):
        verdict = "Bad"
    value = figure.value if figure and n >= FLOOR else ""
    return Signal.model_validate(
        {"name": signal.name, "value": value, "bar": signal.shown, "n": n, "verdict": verdict,
         "at": stamp(now)}
    )  # fmt: skip


def _worth_telling(old: tuple[Signal, ...], new: tuple[Signal, ...], now: float) -> bool:
    """A bar that is broken or whole again at once, and what is known at last; else seldom."""
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
    """More than a fifth, and more than chance moves a count of so many requests."""
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
    found = re.search(r"([\d.]+)(%|us|ms|s|)$", value)
    return float(found[1]) * _SCALE[found[2]] if found else None


def trusted(seen: Observed, status: Status) -> tuple[str, str, str]:
    """Status, reason and message of the condition `Trusted` of what serves."""
    alarm, probe = status.alarm, status.verifying
    if probe is not None:
        said = alarm.message if alarm else "an alarm"
        beside = f"{probe.weight}% on its predecessor {probe.short}" if probe.weight else "waiting"
        return "Unknown", "Verifying", f"{said}; being compared: {beside}"
    if alarm is not None:
        return (
            "False",
            alarm.reason,
            f"{alarm.message}; {alarm.why}" if alarm.why else alarm.message,
        )
    if isinstance(seen.live, NoSample):
        return "Unknown", seen.live.reason, "without measurements nothing can be said"
    bad = [s for s in status.signals if s.verdict == "Bad"]
    if bad:
        said = ", ".join(breach(s) for s in bad)
        return "False", "Breached", said
    counted = [s for s in status.signals if not is_uncounted(s.name)]
    if not counted or any(s.verdict == "NoData" for s in counted):
        return "Unknown", "NoTraffic", "too few requests to say"
    return "True", "InsideBars", "all inside bars"


def not_comparable(seen: Observed, status: Status) -> str:
    """What a failure mode would have rolled back, and no comparison can tell; empty if nothing."""
    live = live_of(seen)
    for signal in status.signals if live is not None else ():
        uncounted = signal.verdict == "Bad" and is_uncounted(signal.name)
        if (
            live is not None
            and uncounted
            and responds(live.accepted.spec, signal.name) == "Rollback"
        ):
            return f"{breach(signal)}; no counts stand behind it: merit.dev/rollback goes back"
    return ""


def trust_condition(seen: Observed, status: Status) -> Condition:
    """The condition as it goes into status."""
    word, reason, message = trusted(seen, status)
    return Condition.model_validate(
        {"type": "Trusted", "status": word, "reason": reason, "message": message[:1024]}
    )
