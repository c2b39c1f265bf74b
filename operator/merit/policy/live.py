"""After promotion: the same signals stay measured and shown; trust turns on thresholds."""

from __future__ import annotations

from merit.api.status import Condition, Signal, Status
from merit.policy.decision import Decision, Note
from merit.policy.observed import Figure, Observed
from merit.policy.signals import declared

FLOOR = 50  # requests in the window before a share says anything


def watch(seen: Observed, now: float) -> Decision | None:
    """Signals of the stable revision, written on transitions and large moves only."""
    stable = seen.status.stable
    accepted = seen.accepted.get(f"{stable.short}-{stable.policy}") if stable else None
    if stable is None or accepted is None:
        return None
    signals = tuple(
        _signal(signal.name, signal.shown, signal.limit, seen.figures.get(signal.name))
        for signal in declared(accepted.spec)
    )
    kept = _settled(seen.status, signals)
    before, after = trusted(seen.status.signals), trusted(kept)
    notes: tuple[Note, ...] = ()
    if (
        before != after
        and after[0] != "Unknown"
        and (before[0] != "Unknown" or after[0] == "False")
    ):
        notes = (Note(after[1], after[2], warning=after[0] == "False"),)
    return Decision(
        seen.status.model_copy(update={"signals": kept}), notes=notes, again=seen.tuning.live_tick
    )


def _signal(name: str, bar: str, limit: float, figure: Figure | None) -> Signal:
    if figure is None or figure.n < FLOOR:
        n = figure.n if figure else 0
        return Signal(name=name, bar=bar, n=n, verdict="NoData")
    verdict = "Bad" if figure.share > limit else "Good"
    return Signal(name=name, value=figure.value, bar=bar, n=figure.n, verdict=verdict)


def _settled(status: Status, signals: tuple[Signal, ...]) -> tuple[Signal, ...]:
    """What stands in status, unless a verdict turned: noise must not write."""
    old = {s.name: (s.verdict, s.bar) for s in status.signals}
    if {s.name: (s.verdict, s.bar) for s in signals} == old:
        return status.signals
    return signals


def trusted(signals: tuple[Signal, ...]) -> tuple[str, str, str]:
    """Status, reason and message of the condition `Trusted`, from the signals."""
    bad = [s for s in signals if s.verdict == "Bad"]
    if bad:
        said = ", ".join(f"{s.name} {s.value} > {s.bar} (n={s.n:,})" for s in bad)
        return "False", "Breached", said
    if not signals or any(s.verdict == "NoData" for s in signals):
        return "Unknown", "NoTraffic", "too few requests to say"
    return "True", "InsideBars", "all inside bars"


def trust_condition(signals: tuple[Signal, ...]) -> Condition:
    """The condition as it goes into status."""
    status, reason, message = trusted(signals)
    return Condition.model_validate(
        {"type": "Trusted", "status": status, "reason": reason, "message": message}
    )
