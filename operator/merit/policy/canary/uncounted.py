"""The signals that no count of requests stands behind: cost, thresholds, drift.

They are told for whoever is judged: the candidate while it has traffic, else what serves.
"""

from __future__ import annotations

import re

from merit.api.spec import Spec
from merit.api.status import Signal, Status
from merit.policy.canary.case import case_of
from merit.policy.observed import Observed
from merit.policy.responses import effects
from merit.policy.signals import breach, is_uncounted
from merit.policy.times import age, stamp
from merit.policy.verdict import Verdict
from merit.policy.watch.costs import cost_signals
from merit.policy.watch.drift import drift_signals
from merit.policy.watch.thresholds import threshold_signals

MOVED = 0.2  # share by which a value must move before it is written
SELDOM = 300.0  # seconds between two writes of a value whose verdict did not turn


def with_uncounted(seen: Observed, status: Status, now: float) -> Status:
    """Status with these signals; a value that only wobbles is left as it stands."""
    judged = _judged(seen)
    counted = tuple(s for s in status.signals if not is_uncounted(s.name))
    if judged is None:
        return status.model_copy(update={"signals": counted})
    spec, canary = judged
    fresh = (
        *cost_signals(seen, spec, canary=canary),
        *threshold_signals(seen, spec),
        *drift_signals(seen, status, spec, canary=canary),
    )
    old = {s.name: s for s in seen.status.signals}
    settled = tuple(_settled(old.get(s.name), s, now) for s in fresh)
    return status.model_copy(update={"signals": (*counted, *settled)})


def veto(seen: Observed, spec: Spec) -> Verdict | None:
    """What of these signals forbids a step up: cost always, others where the response says so."""
    for signal in seen.status.signals:
        if signal.verdict != "Bad" or not is_uncounted(signal.name):
            continue
        leads = effects(spec, signal.name, "candidate")
        if signal.name == "cost" or leads.holds or leads.takes_back:
            return Verdict("Undecided", "Vetoed", breach(signal))
    return None


def _judged(seen: Observed) -> tuple[Spec, bool] | None:
    case = case_of(seen)
    if case is not None and case.candidate.weight > 0:
        return case.accepted.spec, True
    stable = seen.status.stable
    accepted = seen.accepted.get(f"{stable.short}-{stable.policy}") if stable else None
    return (accepted.spec, False) if accepted else None


def _settled(old: Signal | None, new: Signal, now: float) -> Signal:
    same = old is not None and _what(old) == _what(new)
    if old is None or not same:
        return new.model_copy(update={"at": stamp(now)})
    if old.value == new.value or age(old.at, now) < SELDOM or not _moved(old.value, new.value):
        return old
    return new.model_copy(update={"at": stamp(now)})


def _what(signal: Signal) -> tuple[str, str, str]:
    return signal.verdict, signal.bar, signal.query


def _moved(old: str, new: str) -> bool:
    """Whether any number in the text moved by more than a fifth, or its words differ."""
    before, after = _numbers(old), _numbers(new)
    if len(before) != len(after) or re.sub(_NUMBER, "", old) != re.sub(_NUMBER, "", new):
        return True
    return any(abs(b - a) > MOVED * abs(a) for a, b in zip(before, after, strict=True))


_NUMBER = r"-?\d[\d,]*\.?\d*(?:e[+-]?\d+)?"


def _numbers(text: str) -> list[float]:
    return [float(found.replace(",", "").rstrip(".")) for found in re.findall(_NUMBER, text)]
