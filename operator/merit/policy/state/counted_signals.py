"""The constraints that counts of requests can judge: each a name, a bar and a tolerated share."""

from __future__ import annotations

from dataclasses import dataclass

from merit.api.quantity import format_duration
from merit.api.rules.constraints import PERCENTILES
from merit.api.spec import Spec
from merit.api.status import Signal
from merit.stats.signal import Bar


@dataclass(frozen=True, slots=True)
class CountedSignal:
    """A signal of a spec. `text`: its bar as declared; `limit`: share of bad requests that is
    tolerated; `bound`: seconds.
    """

    name: str
    text: str
    limit: float
    bound: float | None = None


def counted_signals(spec: Spec) -> tuple[CountedSignal, ...]:
    """Errors, and each declared percentile of latency: p99 <= x means 1 % may be slower than x."""
    signals: list[CountedSignal] = []
    if spec.constraints.errors is not None:
        share = spec.constraints.errors.max
        signals.append(CountedSignal("errors", f"{share * 100:g}%", share))
    for name in PERCENTILES if spec.constraints.latency is not None else ():
        bound = getattr(spec.constraints.latency, name)
        if bound is not None:
            limit = round(1 - int(name[1:]) / 100, 6)
            signals.append(CountedSignal(f"latency/{name}", format_duration(bound), limit, bound))
    return tuple(signals)


def bars(spec: Spec) -> tuple[Bar, ...]:
    """The same, as the sequential tests take them."""
    return tuple(Bar(name=s.name, limit=s.limit, text=s.text) for s in counted_signals(spec))


def is_gauge(name: str) -> bool:
    """Whether a signal of that name is measured without counts of requests."""
    return name in ("cost", "kpi") or name.startswith(("signals/", "drift/"))


def breach_text(signal: Signal) -> str:
    """A bar that is broken, in words."""
    if is_gauge(signal.name):
        return f"{signal.name}: {signal.value}; bar: {signal.bar}"
    return f"{signal.name} {signal.value} > {signal.bar} (n={signal.n:,})"
