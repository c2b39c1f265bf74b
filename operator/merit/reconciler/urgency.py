"""Which objects are judged before all others, and which writes no judgement waits for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.policy.state.decision import (
    Accept,
    Action,
    Decision,
    EnsureRevision,
    Record,
    Retrain,
    RunJob,
)
from merit.policy.state.observed import Observed

Object = Mapping[str, Any]
# Creations, up to five a pass. Webhooks of the cluster may make each of them take ten seconds.
LONG = (Accept, RunJob, Retrain, Record)
BLAME_PENDING = "Withdrawn", "Bad"  # the stage and verdict of what `blame_pending` asks for


def is_exposed(status: Object) -> bool:
    """Whether a candidate or a predecessor has a share of the traffic, or lost it just now."""
    candidate, comparison = status.get("candidate") or {}, status.get("comparison") or {}
    if any(int(revision.get("weight") or 0) > 0 for revision in (candidate, comparison)):
        return True
    verdicts = {stage.get("stage"): stage.get("verdict") for stage in status.get("flow") or ()}
    return (candidate.get("stage"), verdicts.get("Rollout")) == BLAME_PENDING


def is_urgent(status: Object) -> bool:
    """Whether anything but what serves has traffic, is compared with it, or may still get some.

    By what is on record, so that a new leader knows it before its first pass. A revision without a
    share is among those that leave until its pods are gone, and they stay while a route names it.
    """
    leaves = any(not entry.get("kept") for entry in status.get("leaving") or ())
    return leaves or is_exposed(status) or bool(status.get("comparison"))


def takes_long(seen: Observed, decision: Decision, action: Action) -> bool:
    """Whether an action may take long and no traffic depends on it."""
    if decision.urgent:
        return False
    if isinstance(action, EnsureRevision):
        status, short = seen.status, action.short
        candidate, comparison = status.candidate, status.comparison
        at_work = (comparison, candidate if candidate and candidate.weight > 0 else None)
        in_use = {revision.short for revision in at_work if revision is not None}
        if status.stable is not None and seen.traffic.route.exists:
            in_use.add(status.stable.short)
        return short not in in_use | set(seen.traffic.route.weights)
    return isinstance(action, LONG)
