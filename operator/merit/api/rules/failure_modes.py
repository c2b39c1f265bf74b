"""Each failure mode names a signal that the same object measures."""

from __future__ import annotations

from merit.api.quantity import Refused
from merit.api.rules.constraints import signals
from merit.api.spec import FailureMode, Spec


def check_failure_modes(spec: Spec) -> None:
    """Known signals, each name once. Raises Refused."""
    known = every_signal(spec)
    seen: set[str] = set()
    for index, mode in enumerate(spec.failure_modes):
        if mode.signal not in known:
            raise Refused(
                f'nothing measures "{mode.signal}"',
                f"{_declared_at(mode.signal)}, or use one of: {', '.join(known)}",
                f"failureModes[{index}].signal",
            )
        _sensible(spec, mode, index)
        if mode.name in seen:
            raise Refused(
                f'"{mode.name}" is used twice', "give each a name", f"failureModes[{index}].name"
            )
        seen.add(mode.name)


def every_signal(spec: Spec) -> tuple[str, ...]:
    """The signals that exist in this object."""
    found = list(signals(spec.constraints))
    if spec.goal.kpi is not None:
        found.append("kpi")
    if spec.monitoring is not None:
        found += [f"drift/{drift.name}" for drift in spec.monitoring.drift or ()]
        found += [f"signals/{signal.name}" for signal in spec.monitoring.signals or ()]
    return tuple(found)


def _declared_at(signal: str) -> str:
    kind, _, name = signal.partition("/")
    match kind:
        case "kpi":
            return "set goal.kpi"
        case "drift" | "signals":
            return f"declare {name} in monitoring.{kind}"
        case _:
            return f"set constraints.{signal.replace('/', '.')}"


def _sensible(spec: Spec, mode: FailureMode, index: int) -> None:
    if mode.response == "Rollback" and mode.signal == "cost":
        raise Refused(
            "cannot bring the cost down: it is the price of the replicas, and what costs too much "
            "is stopped before it serves",
            "use Alert or Hold",
            f"failureModes[{index}].response",
        )
    if mode.response == "Retrain" and mode.signal.partition("/")[0] in ("latency", "cost"):
        raise Refused(
            f"makes no server faster or cheaper: {mode.signal} is not learnt from data",
            "use Rollback, Alert or Hold" if mode.signal != "cost" else "use Alert or Hold",
            f"failureModes[{index}].response",
        )
    drifts = (spec.monitoring.drift if spec.monitoring else None) or ()
    features = {f"drift/{drift.name}" for drift in drifts if drift.of == "Features"}
    if mode.response == "Rollback" and mode.signal in features:
        raise Refused(
            "cannot cure a drift of features: the older model is staler still",
            "use Alert, Retrain or Hold",
            f"failureModes[{index}].response",
        )
