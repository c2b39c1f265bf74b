"""What a spec would go through: stage by stage, what runs and what does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from merit.api.bypass import LONGEST
from merit.api.defaults import Effective, effective
from merit.api.quantity import format_duration, format_share
from merit.api.spec import Spec
from merit.policy.signals import declared


@dataclass(frozen=True, slots=True)
class Ahead:
    """A stage of the flow, whether it runs, and what it does or why it does not."""

    stage: str
    runs: bool
    words: str


def outlook(spec: Spec, *, now: float = 0.0) -> tuple[Ahead, ...]:
    """The stages in order. `now`: Unix seconds, for a bypass that ends."""
    known = effective(spec)
    stages = (
        Ahead("Evaluation", True, _evaluation(spec)),
        Ahead("Feasibility", True, _feasibility(spec, known)),
        Ahead("Rollout", True, _rollout(known)),
        Ahead("Live", True, _live(spec)),
    )
    bypass = spec.bypass
    if bypass is None or not 0 < bypass.expires - now <= LONGEST:
        return stages
    skipped = f"skipped by spec.bypass: {bypass.reason}"
    return tuple(Ahead(s.stage, False, skipped) if s.stage in bypass.stages else s for s in stages)


def _evaluation(spec: Spec) -> str:
    bars = len(spec.evaluation.bars)
    return f"the Job reports, {bars} bar{'s' * (bars != 1)} must be met"


def _feasibility(spec: Spec, known: Effective) -> str:
    cost = "cost" if spec.constraints.cost else "no cost bound"
    pods = f"{known.replicas_min} replica{'s' * (known.replicas_min != 1)}"
    if known.load_duration is None or known.headroom is None:
        return f"{cost} and {pods}; no load is put on it"
    rate = (known.rps or 0.0) * (1 + known.headroom)
    lasts = format_duration(known.load_duration)
    return f"{cost}; then {rate:g} requests a second to {pods}, stages of {lasts} or more"


def _rollout(known: Effective) -> str:
    steps = ", ".join(str(step) for step in known.steps)
    chosen = "" if known.explicit_steps else ", those that the traffic is enough for"
    hold = f"{known.holdback_weight}% held back for {format_duration(known.holdback_duration)}"
    least = f"{format_duration(known.min_duration)} at least"
    return f"{steps} percent{chosen}, {least}, {format_share(known.confidence)}; then {hold}"


def _live(spec: Spec) -> str:
    return f"watched: {', '.join(_signals(spec))}"


def _signals(spec: Spec) -> Iterator[str]:
    yield from (signal.name for signal in declared(spec))
    if spec.constraints.cost:
        yield "cost"
