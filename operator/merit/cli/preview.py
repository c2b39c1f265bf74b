"""What each stage would do with a spec."""

from __future__ import annotations

from dataclasses import dataclass

from merit.api.defaults import Effective, effective
from merit.api.quantity import format_duration, format_share
from merit.api.spec import MAX_BYPASS, Spec
from merit.policy.state.counted_signals import counted_signals


@dataclass(frozen=True, slots=True)
class StagePreview:
    """A stage of the flow, whether it runs, and what it does, or why it is skipped."""

    stage: str
    runs: bool
    text: str


def preview(spec: Spec, *, now: float = 0.0) -> tuple[StagePreview, ...]:
    """The stages in order. `now`: Unix seconds, to see whether a bypass has expired."""
    known = effective(spec)
    signals = [signal.name for signal in counted_signals(spec)]
    signals += ["cost"] if spec.constraints.cost else []
    stages = (
        StagePreview("Evaluation", True, _evaluation(spec)),
        StagePreview("Feasibility", True, _feasibility(spec, known)),
        StagePreview("Rollout", True, _rollout(known)),
        StagePreview("Live", True, f"monitored: {', '.join(signals)}"),
    )
    bypass = spec.bypass
    if bypass is None or not 0 < bypass.expires - now <= MAX_BYPASS:
        return stages
    skipped = f"skipped by spec.bypass: {bypass.reason}"
    return tuple(
        StagePreview(s.stage, False, skipped) if s.stage in bypass.stages else s for s in stages
    )


def _evaluation(spec: Spec) -> str:
    bars = len(spec.evaluation.bars)
    return f"the Job reports, {bars} bar{'s' * (bars != 1)} must be met"


def _feasibility(spec: Spec, known: Effective) -> str:
    cost = "cost" if spec.constraints.cost else "no cost bound"
    pods = f"{known.replicas_min} replica{'s' * (known.replicas_min != 1)}"
    if known.load_duration is None or known.headroom is None:
        return f"{cost} and {pods}; no load test"
    rate = (known.rps or 0.0) * (1 + known.headroom)
    lasts = format_duration(known.load_duration)
    return f"{cost}; then {rate:g} requests a second to {pods}, stages of {lasts} or more"


def _rollout(known: Effective) -> str:
    steps = ", ".join(str(step) for step in known.steps)
    chosen = "" if known.explicit_steps else ", those with enough traffic for a verdict"
    hold = f"{known.holdback_weight}% held back for {format_duration(known.holdback_duration)}"
    least = f"{format_duration(known.min_duration)} at least"
    return f"{steps} percent{chosen}, {least}, {format_share(known.confidence)}; then {hold}"
