"""The signals that are measured without counts of requests: cost, thresholds, drift.

They are those of the candidate while it has traffic, else of what serves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from merit.api.spec import Spec
from merit.api.status import Signal, Status
from merit.policy.signals.baselines import declared_drifts
from merit.policy.signals.cost import cost_signals
from merit.policy.signals.drift import PREFIX, drift_signals
from merit.policy.signals.thresholds import queries, threshold_signals
from merit.policy.state.context import rollout_context
from merit.policy.state.counted_signals import breach_text, is_gauge
from merit.policy.state.observed import Observed
from merit.policy.state.responses import Where, effects
from merit.policy.state.times import age, stamp
from merit.policy.state.verdict import Verdict

MOVED = 0.2  # share by which a value must move before it is written
SELDOM = 300.0  # seconds between two writes of a value whose verdict is the same
LOST = "SignalLost"


def with_gauge_signals(seen: Observed, status: Status, now: float) -> Status:
    """Status with these signals; a value that hardly moves is left as it is."""
    judged = _judged_spec(seen)
    counted = tuple(s for s in status.signals if not is_gauge(s.name))
    if judged is None:
        return status.model_copy(update={"signals": counted})
    spec, where = judged
    newest = _newest(seen, status, spec, where)
    old = {s.name: s for s in seen.status.signals}
    settled = tuple(_settled(old.get(s.name), s, now) for s in newest)
    return status.model_copy(update={"signals": (*counted, *settled)})


def _newest(seen: Observed, status: Status, spec: Spec, where: Where) -> tuple[Signal, ...]:
    canary = where == "candidate"
    return (
        *cost_signals(seen, spec, canary=canary),
        *threshold_signals(seen, spec),
        *drift_signals(seen, status, spec, canary=canary),
    )


def veto(seen: Observed, spec: Spec) -> Verdict | None:
    """The first of these signals that forbids to raise a weight: a bad cost always does, another
    where its response says so, and so does its silence.
    """
    for signal in seen.status.signals:
        if signal.verdict != "Bad" or not is_gauge(signal.name):
            continue
        leads_to = effects(spec, signal.name, "candidate")
        if signal.name == "cost" or leads_to.holds or leads_to.rolls_back:
            return Verdict("Undecided", "Vetoed", breach_text(signal))
    newest = _newest(seen, seen.status, spec, "candidate")
    lost = next(unmeasured(newest, spec, "candidate"), None)
    return _silent(lost) if lost is not None else None


def unmeasured(signals: tuple[Signal, ...], spec: Spec, where: Where) -> Iterator[Signal]:
    """The signals without data whose breach would hold or take back: silence proves nothing.

    Features of a candidate are not compared: both revisions see the same ones.
    """
    features = {f"{PREFIX}{d.name}" for d in declared_drifts(spec) if d.of == "Features"}
    for signal in signals:
        if signal.verdict != "NoData" or not is_gauge(signal.name):
            continue
        leads_to = effects(spec, signal.name, where)
        if where == "candidate" and signal.name in features:
            continue
        if leads_to.holds or leads_to.rolls_back:
            yield signal


def lost_signals(seen: Observed, status: Status) -> tuple[Signal, ...]:
    """Those of status of which nothing at all is measured; too few samples are no loss."""
    judged = _judged_spec(seen)
    if judged is None:
        return ()
    return tuple(s for s in unmeasured(status.signals, *judged) if s.n == 0)


def closed(seen: Observed, spec: Spec) -> Verdict | None:
    """The first query that may hold or take back, and that the metrics source does not take."""
    if seen.tuning.takes_queries:
        return None
    why = "the metrics source takes no queries from this namespace"
    asked = tuple(Signal(name=name, value=why) for name, _ in queries(spec))
    lost = next(unmeasured(asked, spec, "candidate"), None)
    return _silent(lost) if lost is not None else None


def _silent(signal: Signal) -> Verdict:
    return Verdict("NoData", LOST, f"{signal.name} has no data: {signal.value}", signal.name)


def _judged_spec(seen: Observed) -> tuple[Spec, Where] | None:
    """The spec that these signals are judged by, and whose it is."""
    context = rollout_context(seen)
    if context is not None and context.candidate.weight > 0:
        return context.accepted.spec, "candidate"
    accepted = seen.record(seen.status.stable)
    return (accepted.spec, "live") if accepted else None


def _settled(old: Signal | None, new: Signal, now: float) -> Signal:
    if old is None or (old.verdict, old.bar, old.query) != (new.verdict, new.bar, new.query):
        return new.model_copy(update={"at": stamp(now)})
    if new.verdict == "NoData":  # `at` is since when, whatever the reason is by now
        return new.model_copy(update={"at": old.at}) if _moved(old.value, new.value) else old
    if old.value == new.value or age(old.at, now) < SELDOM or not _moved(old.value, new.value):
        return old
    return new.model_copy(update={"at": stamp(now)})


def _moved(old: str, new: str) -> bool:
    """Whether any number in the text moved by more than a fifth, or its words differ."""
    before, after = _numbers(old), _numbers(new)
    if len(before) != len(after) or re.sub(_NUMBER, "", old) != re.sub(_NUMBER, "", new):
        return True
    return any(abs(b - a) > MOVED * abs(a) for a, b in zip(before, after, strict=True))


_NUMBER = r"-?\d[\d,]*\.?\d*(?:e[+-]?\d+)?"


def _numbers(text: str) -> list[float]:
    return [float(digits.replace(",", "").rstrip(".")) for digits in re.findall(_NUMBER, text)]
