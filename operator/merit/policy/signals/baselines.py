"""What drift is measured against: kept in status, so that a new leader judges by the same. Pure.

A baseline is the histogram of the evaluation report, or else the revision's own first day.
"""

from __future__ import annotations

from merit.api.live_status import DriftState
from merit.api.monitoring import Drift
from merit.api.spec import Spec
from merit.api.status import Status
from merit.policy.state.measurements import Distribution
from merit.stats.burn_in import BurnIn
from merit.stats.histogram import Histogram


def declared_drifts(spec: Spec) -> tuple[Drift, ...]:
    """The drifts that a spec declares."""
    return (spec.monitoring.drift if spec.monitoring else None) or ()


def baseline_of(status: Status, name: str, short: str) -> DriftState | None:
    """The baseline of a drift of a revision, with its count of windows."""
    return next((s for s in status.drift if (s.name, s.short) == (name, short)), None)


def burn_in_of(measured: Distribution, began: float) -> Histogram | None:
    """The distribution since the revision began, once there is enough of it. `began`: Unix time."""
    most = max(measured.windows.values(), key=lambda h: h.n, default=None)
    if most is None:
        return None
    return most if BurnIn(since=began, until=measured.at, histogram=most).frozen else None


def new_baseline(name: str, short: str, kind: str, histogram: Histogram) -> DriftState:
    """A baseline of that kind, before any window against it."""
    return DriftState.model_validate(
        {"name": name, "short": short, "baseline": kind, "histogram": histogram.to_status()}
    )


def with_baselines(status: Status, *states: DriftState) -> Status:
    """The status with these baselines instead of older ones of the same drift and revision."""
    keys = {(s.name, s.short) for s in states}
    others = tuple(s for s in status.drift if (s.name, s.short) not in keys)
    return status.model_copy(update={"drift": (*others, *states)})


def with_known_baselines(status: Status) -> Status:
    """The status with baselines only of revisions that serve, may serve next, or served before."""
    known = {r.short for r in (status.stable, status.candidate) if r is not None}
    known |= {entry.short for entry in status.promoted[:2]}
    states = tuple(s for s in status.drift if s.short in known)
    return status if states == status.drift else status.model_copy(update={"drift": states})
