"""The response that a failure mode declares for a breached signal, and what it does. Pure.

It depends on which revision is bad: a candidate can lose its traffic, what is live can only give
way to its predecessor, and only retraining makes new content.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from merit.api.spec import FailureMode, Spec

Where = Literal["candidate", "live"]
UNCOVERED = "Alert"  # the response to a breach that no failure mode names


@dataclass(frozen=True, slots=True)
class Effects:
    """What a breach leads to.

    `rolls_back`: a candidate is rejected and loses its traffic; what is live is compared with its
    predecessor, and rolled back if it is to blame. `holds`: no weight is raised while it lasts.
    `alerts`: the owner gets an alert. `retrains`: the declared retraining is started.
    """

    rolls_back: bool = False
    holds: bool = False
    alerts: bool = False
    retrains: bool = False


_BY_HAND = Effects(holds=True, alerts=True)
EFFECTS: Mapping[tuple[str, bool], tuple[Effects, Effects]] = {
    # response, rollbackPolicy.automatic: what it does to a candidate, what to what is live
    ("Rollback", True): (
        Effects(rolls_back=True, alerts=True),
        Effects(rolls_back=True, alerts=True),
    ),
    ("Rollback", False): (_BY_HAND, _BY_HAND),
    ("Alert", True): (Effects(alerts=True), Effects(alerts=True)),
    ("Retrain", True): (Effects(alerts=True), Effects(alerts=True, retrains=True)),
    ("Hold", True): (Effects(holds=True), Effects(holds=True)),
}
"""Whether a rollback is automatic changes `Rollback` only."""


def mode_of(spec: Spec, signal: str) -> FailureMode | None:
    """The failure mode of a signal ("latency/p99"): the one of its name, or else of its kind."""
    modes = {mode.signal: mode for mode in reversed(spec.failure_modes)}  # the first one counts
    return modes.get(signal) or modes.get(signal.partition("/")[0])


def responds(spec: Spec, signal: str) -> str:
    """The response that the spec declares for a signal; Alert where it declares none."""
    mode = mode_of(spec, signal)
    return str(mode.response) if mode else UNCOVERED


def gravity(spec: Spec, signal: str) -> int:
    """The rank of the response to a breach of this signal: 0 is the gravest."""
    return ("Rollback", "Alert", "Retrain", "Hold").index(responds(spec, signal))


def effects(spec: Spec, signal: str, where: Where) -> Effects:
    """What a breach of this signal does to a candidate, or to what is live."""
    response = responds(spec, signal)
    automatic = response != "Rollback" or spec.rollback_policy.automatic
    return EFFECTS[response, automatic][0 if where == "candidate" else 1]


def constrained(spec: Spec) -> tuple[str, ...]:
    """The constraints that set a bound."""
    bounds = spec.constraints
    return tuple(n for n in ("latency", "errors", "cost") if getattr(bounds, n) is not None)


def coverage(spec: Spec) -> str:
    """How many of the constraints have a failure mode: `coverage 2/3: cost has no failure mode`."""
    declared = constrained(spec)
    named = {mode.signal.partition("/")[0] for mode in spec.failure_modes}
    missing = [name for name in declared if name not in named]
    covered = f"coverage {len(declared) - len(missing)}/{len(declared)}"
    if not missing:
        return covered
    verb = "has" if len(missing) == 1 else "have"
    return f"{covered}: {' and '.join(missing)} {verb} no failure mode"
