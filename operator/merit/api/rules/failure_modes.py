"""Rules of failure modes: the signal is declared, and the response makes sense for it."""

from __future__ import annotations

from merit.api.quantity import InvalidValue
from merit.api.rules.constraints import signals
from merit.api.rules.templates import check_job
from merit.api.spec import FailureMode, Spec


def check_failure_modes(spec: Spec) -> None:
    """Check signals, responses and names. Raises InvalidValue."""
    known = every_signal(spec)
    seen: set[str] = set()
    for index, mode in enumerate(spec.failure_modes):
        if mode.signal not in known:
            raise InvalidValue(
                f'nothing measures "{mode.signal}"',
                f"{_declared_at(mode.signal)}, or use one of: {', '.join(known)}",
                f"failureModes[{index}].signal",
            )
        _check_response(spec, mode, index)
        if mode.name in seen:
            raise InvalidValue(
                f'"{mode.name}" is used twice', "give each a name", f"failureModes[{index}].name"
            )
        seen.add(mode.name)


def every_signal(spec: Spec) -> tuple[str, ...]:
    """Names of all signals that this object declares."""
    names = list(signals(spec.constraints))
    if spec.goal.kpi is not None:
        names.append("kpi")
    if spec.monitoring is not None:
        names += [f"drift/{drift.name}" for drift in spec.monitoring.drift or ()]
        names += [f"signals/{signal.name}" for signal in spec.monitoring.signals or ()]
    return tuple(names)


def _declared_at(signal: str) -> str:
    kind, _, name = signal.partition("/")
    match kind:
        case "kpi":
            return "set goal.kpi"
        case "drift" | "signals":
            return f"declare {name} in monitoring.{kind}"
        case _:
            return f"set constraints.{signal.replace('/', '.')}"


def _check_response(spec: Spec, mode: FailureMode, index: int) -> None:
    if mode.response == "Rollback" and mode.signal == "cost":
        raise InvalidValue(
            "does not lower the cost: that is the price of the replicas, and a candidate that is "
            "too expensive is stopped before it serves",
            "use Alert or Hold",
            f"failureModes[{index}].response",
        )
    if mode.response == "Retrain" and mode.signal.partition("/")[0] in ("latency", "cost"):
        raise InvalidValue(
            f"makes a server neither faster nor cheaper: {mode.signal} is not learnt from data",
            "use Rollback, Alert or Hold" if mode.signal != "cost" else "use Alert or Hold",
            f"failureModes[{index}].response",
        )
    drifts = (spec.monitoring.drift if spec.monitoring else None) or ()
    features = {f"drift/{drift.name}" for drift in drifts if drift.of == "Features"}
    if mode.response == "Rollback" and mode.signal in features:
        raise InvalidValue(
            "does not help against a drift of features: the earlier model is older still",
            "use Alert, Retrain or Hold",
            f"failureModes[{index}].response",
        )


def check_retrain(spec: Spec) -> None:
    """Check that a training is declared if a response needs it, once. Raises InvalidValue."""
    retrain = spec.retrain
    for index, mode in enumerate(spec.failure_modes):
        if mode.response == "Retrain" and retrain is None:
            raise InvalidValue(
                "needs a training",
                "set spec.retrain, as retrain: {cronJob: train-fraud}",
                f"failureModes[{index}].response",
            )
    if retrain is None:
        return
    if (retrain.cron_job is None) == (retrain.job is None):
        raise InvalidValue(
            "names no training" if retrain.job is None else "names two trainings",
            "set exactly one, cronJob: NAME or job: {template}",
            "retrain",
        )
    if retrain.job is not None:
        check_job(retrain.job, "retrain.job")
