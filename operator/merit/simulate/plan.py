"""What is rolled out in a simulation: a manifest's spec, its bars, and the terms of judgement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from merit.api.hashing import Identity, identify
from merit.api.names import accepted_name
from merit.api.spec import Spec
from merit.api.validation import Invalid, parse_spec
from merit.evidence.constants import Constants
from merit.evidence.signal import Bar
from merit.policy.observed import Accepted
from merit.policy.signals import bars

STABLE = "the one that serves"


@dataclass(frozen=True, slots=True)
class Plan:
    """A rollout that could begin now: `stable` serves, `candidate` has passed its gates.

    `bars`: the constraints that counts can judge. `rps`: all traffic, requests per second.
    `constants`: of judgement.
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
    """From a spec as the user wrote it; refused in the words that the cluster would use.

    `rps`: what to assume instead of `constraints.scale.rps`.
    """
    spec = parse_spec(raw, name=name)
    if isinstance(spec, Invalid):
        return spec
    scale = spec.constraints.scale
    traffic = rps if rps is not None else (scale.rps if scale else None)
    if traffic is None:
        return Invalid(
            "spec.constraints.scale.rps",
            "is missing, so nobody knows how much traffic there is",
            "set it, or say it on the command line: --rps 50",
        )
    judged = bars(spec)
    if not judged:
        return Invalid(
            "spec.constraints",
            "has no bar that counts of requests could judge, so a rollout has no verdict",
            "add errors: {max: 1%} or latency: {p99: 250ms}",
        )
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
