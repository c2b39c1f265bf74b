"""What people and tools read of an object, all of it derived. Nothing decides on it. Pure."""

from __future__ import annotations

import re

from merit.api.defaults import effective
from merit.api.spec import Spec
from merit.api.status import Condition, Status
from merit.policy.desired.leaving import still_leaving
from merit.policy.live.retraining import retraining_condition
from merit.policy.report.conditions import conditions_of, stamped
from merit.policy.report.named_state import NamedState, State, named_state
from merit.policy.report.next_step import next_step
from merit.policy.state.observed import Observed

_NUMBER = re.compile(r"(?<![\w-])\d")  # not a part of a name
SHORT = 60  # characters of `status.reason`: a column that no terminal wraps
_PHASES = {
    State.INVALID: "Invalid",
    State.EVALUATING: "Evaluating",
    State.CHECKING: "Checking",
    State.WITHDRAWN: "Withdrawn",
    State.ROLLING_BACK: "RollingBack",
    State.ROLLED_BACK: "RolledBack",
    State.REJECTED: "Rejected",
    State.ACCEPTING: "Accepting",
    State.COMPARING: "Comparing",
    State.PENDING: "Pending",
}


def present(seen: Observed, status: Status, now: float) -> Status:
    """Status with everything that is derived from the rest of it. `now`: Unix seconds."""
    named = named_state(seen, status)
    retraining = retraining_condition(seen, status, now)
    found = [*conditions_of(seen, status, named, now), *([retraining] if retraining else [])]
    conditions = stamped(seen, found, now)
    return status.model_copy(
        update={
            "observed_generation": seen.generation,
            "conditions": conditions,
            "phase": _phase(status, named),
            "trust": _trust(status, conditions),
            "reason": short_reason(named),
            "summary": named.facts[:256],
            "effective": _effective(seen, status),
            "next": next_step(seen, status, named),
            "leaving": still_leaving(seen, status, now),
        }
    )


def _phase(status: Status, named: NamedState) -> str:
    """One word: where the object is in the flow. An invalid spec does not hide a candidate."""
    candidate, state = status.candidate, named.flow_state
    if named.state is State.INVALID and candidate is None:
        state = State.INVALID
    phase = _PHASES.get(state, "Live")
    if state is State.PENDING and status.stable is not None:
        phase = "Live"  # promoted; only its route is still to be written
    if candidate is not None and state in (State.STARTING, State.CANARY, State.HOLDBACK):
        word = "Holdback" if state is State.HOLDBACK else "Canary"
        phase = f"{word} {candidate.weight}%" if candidate.weight else "Starting"
    bypassed = status.bypass is not None and status.bypass.state == "InForce"
    return f"{phase} (bypassed)" if bypassed else phase


def _trust(status: Status, conditions: tuple[Condition, ...]) -> str:
    """The condition `Trusted` in one word: it is about what serves."""
    trusted = next((c for c in conditions if c.type == "Trusted"), None)
    if trusted is None or status.stable is None:
        return "Unknown"
    if trusted.reason in ("Earning", "Comparing"):
        return trusted.reason
    return {"True": "Earned", "False": "Lost"}.get(trusted.status, "Unknown")


def short_reason(named: NamedState) -> str:
    """The reason and the first number with what it is about, at most `SHORT` characters."""
    room = SHORT - len(named.reason) - 2
    ends = [found.start() for found in re.finditer(r"[;:,] |$", named.facts)]
    counted = (end for end in ends if _NUMBER.search(named.facts[:end]))
    clause = named.facts[: next(counted, ends[0])]
    if len(clause) > room:
        clause = re.split(r"[;:,] ", clause)[-1]
    if len(clause) > room:
        clause = f"{clause[: room - 1].rstrip()}…" if _NUMBER.search(clause) else ""
    return f"{named.reason}: {clause}" if clause else named.reason


def _effective(seen: Observed, status: Status) -> dict[str, object]:
    if not isinstance(seen.declared.spec, Spec):
        return status.effective
    return effective(seen.declared.spec, source=seen.tuning.source).to_status()
