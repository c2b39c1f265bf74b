"""What a simulation rolls out: a manifest's spec, its bars, and the constants of judgement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from merit.api.hashing import Identity, identify
from merit.api.names import accepted_name
from merit.api.spec import Spec
from merit.api.validation import Invalid, parse_spec
from merit.policy.state.counted_signals import bars, is_gauge
from merit.policy.state.observed import Accepted
from merit.stats.signal import Bar
from merit.stats.terms import Constants

STABLE = "the one that serves"


@dataclass(frozen=True, slots=True)
class Plan:
    """A rollout that is about to begin: `stable` serves, `candidate` has passed its gates.

    `bars`: the constraints that can be judged by counts. `rps`: all requests per second.
    """

    name: str
    spec: Spec
    candidate: Accepted
    stable: Accepted
    bars: tuple[Bar, ...]
    rps: float
    constants: Constants


def plan(
    raw: Mapping[str, Any], *, name: str, rps: float | None, constants: Constants
) -> Plan | Invalid:
    """The plan for a spec as the user wrote it, or why there is none, as the operator says it.

    `rps`: used instead of `constraints.scale.rps`.
    """
    spec = parse_spec(raw, name=name)
    if isinstance(spec, Invalid):
        return spec
    scale = spec.constraints.scale
    traffic = rps if rps is not None else (scale.rps if scale else None)
    if traffic is None:
        return Invalid(
            "spec.constraints.scale.rps",
            "is missing, so the amount of traffic is unknown",
            "set it, or give it on the command line: --rps 50",
        )
    judged = bars(spec)
    if not judged:
        return Invalid(
            "spec.constraints",
            "has no bar that can be judged by counts of requests, so a rollout has no verdict",
            "add errors: {max: 1%} or latency: {p99: 250ms}",
        )
    # What has no counts is not simulated, so its silence must hold nothing.
    counted = tuple(mode for mode in spec.failure_modes if not is_gauge(mode.signal))
    spec = spec.model_copy(update={"failure_modes": counted})
    before = {**raw, "model": {**raw["model"], "version": STABLE}}
    return Plan(
        name=name,
        spec=spec,
        candidate=_accepted(name, spec, identify(raw)),
        stable=_accepted(name, spec, identify(before)),
        bars=judged,
        rps=float(traffic),
        constants=constants,
    )


def _accepted(name: str, spec: Spec, identity: Identity) -> Accepted:
    return Accepted(
        name=accepted_name(name, identity.key),
        identity=identity,
        spec=spec,
        deployment={},
        service={},
    )
