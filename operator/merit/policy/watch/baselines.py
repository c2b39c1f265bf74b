"""What drift is measured against: frozen in status, so that every leader judges by the same. Pure.

A baseline is the histogram of the evaluation report, or else the revision's own first day.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from merit.api.monitoring import Drift
from merit.api.spec import Spec
from merit.api.status import Status
from merit.api.watched import DriftState
from merit.evidence.baseline import BurnIn
from merit.evidence.bins import Histogram
from merit.policy.evaluation.report import Report, parse_report
from merit.policy.observed import Distribution, Observed


def drifts(spec: Spec) -> tuple[Drift, ...]:
    """What a spec declares."""
    return (spec.monitoring.drift if spec.monitoring else None) or ()


def with_references(
    seen: Observed, spec: Spec, *, short: str, message: str, nonce: str
) -> Observed:
    """The view with the report's reference histograms as baselines of this revision."""
    candidate = seen.status.candidate
    report = parse_report(message, revision=candidate.revision if candidate else "", nonce=nonce)
    if not isinstance(report, Report):
        return seen
    states = []
    for drift in drifts(spec):
        told = report.reference.get(drift.name)
        if told is not None:
            edges = (*(float(edge) for edge in told.le), math.inf)
            found = Histogram(edges, tuple(float(n) for n in told.n))
            states.append(fresh_state(drift.name, short, "Reference", found))
    return replace(seen, status=with_states(seen.status, *states))


def state_of(status: Status, name: str, short: str) -> DriftState | None:
    """The baseline of that drift of that revision, with its count of windows."""
    return next((s for s in status.drift if (s.name, s.short) == (name, short)), None)


def beginning(found: Distribution, began: float) -> Histogram | None:
    """The revision's own beginning, once there is enough of it."""
    most = max(found.windows.values(), key=lambda h: h.n, default=None)
    if most is None:
        return None
    return most if BurnIn(since=began, until=found.at, histogram=most).frozen else None


def fresh_state(name: str, short: str, kind: str, histogram: Histogram) -> DriftState:
    told: Mapping[str, object] = histogram.to_status()
    return DriftState.model_validate(
        {"name": name, "short": short, "baseline": kind, "histogram": told}
    )


def with_states(status: Status, *states: DriftState) -> Status:
    keys = {(s.name, s.short) for s in states}
    kept = tuple(s for s in status.drift if (s.name, s.short) not in keys)
    return status.model_copy(update={"drift": (*kept, *states)})


def pruned(status: Status) -> Status:
    """Only of revisions that serve, may serve next, or served before."""
    kept = {r.short for r in (status.stable, status.candidate) if r is not None}
    kept |= {entry.short for entry in status.promoted[:2]}
    states = tuple(s for s in status.drift if s.short in kept)
    return status if states == status.drift else status.model_copy(update={"drift": states})
