"""Rules of drift, KPI and custom signals: a bar, a source, a unique name."""

from __future__ import annotations

from collections.abc import Sequence

from merit.api.monitoring import CustomSignal, Drift, Kpi
from merit.api.quantity import InvalidValue
from merit.api.spec import Spec


def check_monitoring(spec: Spec) -> None:
    """Check KPI, custom signals and drift. Raises InvalidValue."""
    if spec.goal.kpi is not None:
        _bounds(spec.goal.kpi, "goal.kpi")
    monitoring = spec.monitoring
    if monitoring is None:
        return
    for index, signal in enumerate(monitoring.signals or ()):
        _bounds(signal, f"monitoring.signals[{index}]")
    for index, drift in enumerate(monitoring.drift or ()):
        if (drift.histogram is None) == (drift.classes is None):
            raise InvalidValue(
                f'"{drift.name}" needs one source',
                "set exactly one of histogram and classes",
                f"monitoring.drift[{index}]",
            )
    _names(monitoring.signals or (), "monitoring.signals")
    _names(monitoring.drift or (), "monitoring.drift")


def _bounds(it: Kpi | CustomSignal, field: str) -> None:
    if it.min is None and it.max is None:
        raise InvalidValue("has no bar", "set min or max", field)
    if it.min is not None and it.max is not None and it.min > it.max:
        raise InvalidValue(f"{it.min} is more than max", "set min to at most max", f"{field}.min")


def _names(entries: Sequence[CustomSignal | Drift], field: str) -> None:
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        if entry.name in seen:
            remedy = "give each a name"
            raise InvalidValue(f'"{entry.name}" is used twice', remedy, f"{field}[{index}].name")
        seen.add(entry.name)
