"""The constraints that counts can judge, as signals: one name, one bar, one tolerated share."""

from __future__ import annotations

from dataclasses import dataclass

from merit.api.quantity import format_duration
from merit.api.spec import Spec
from merit.api.status import Signal
from merit.evidence.signal import Bar

PERCENTILES = ("p50", "p90", "p95", "p99")


@dataclass(frozen=True, slots=True)
class Declared:
    """A signal of a spec. `limit`: share of bad requests that is tolerated; `bound`: seconds."""

    name: str
    shown: str
    limit: float
    bound: float | None = None


def declared(spec: Spec) -> tuple[Declared, ...]:
    """Errors, and each declared percentile of latency: p99 <= x means 1 % may be slower than x."""
    found: list[Declared] = []
    if spec.constraints.errors is not None:
        share = spec.constraints.errors.max
        found.append(Declared("errors", f"{share * 100:g}%", share))
    for name in PERCENTILES if spec.constraints.latency is not None else ():
        bound = getattr(spec.constraints.latency, name)
        if bound is not None:
            limit = round(1 - int(name[1:]) / 100, 6)
            found.append(Declared(f"latency/{name}", format_duration(bound), limit, bound))
    return tuple(found)


def bars(spec: Spec) -> tuple[Bar, ...]:
    """The same, as evidence takes them."""
    return tuple(Bar(name=s.name, limit=s.limit, text=s.shown) for s in declared(spec))


def is_uncounted(name: str) -> bool:
    """Whether no count of requests stands behind a signal of that name."""
    return name in ("cost", "kpi") or name.startswith(("signals/", "drift/"))


def breach(signal: Signal) -> str:
    """A broken bar in words."""
    if is_uncounted(signal.name):
        return f"{signal.name}: {signal.value}; bar: {signal.bar}"
    return f"{signal.name} {signal.value} > {signal.bar} (n={signal.n:,})"
