"""Which objects are judged before all others, and which writes no judgement waits for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.api.names import KIND
from merit.config import Config
from merit.kube.cache import Cache, Key
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
from merit.prometheus.sources import Sources

Object = Mapping[str, Any]
# Creations, up to five a pass. Webhooks of the cluster may make each of them take ten seconds.
LONG = (Accept, RunJob, Retrain, Record)


def is_exposed(status: Object) -> bool:
    """Whether a candidate or a predecessor has a share of the traffic."""
    revisions = (status.get("candidate") or {}, status.get("comparison") or {})
    return any(int(revision.get("weight") or 0) > 0 for revision in revisions)


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


def judged(cache: Cache, config: Config, metrics: Sources) -> dict[str, frozenset[Key]]:
    """Objects whose traffic is being judged, or soon will be, by view of a metrics source."""
    found: dict[str, set[Key]] = {}
    for key in sorted(cache.keys()):
        obj = cache.get(KIND, *key) or {}
        status = obj.get("status") or {}
        stage = (status.get("candidate") or {}).get("stage")
        if stage in ("Rollout", "Holdback", "Withdrawn") or status.get("comparison"):
            declared = ((obj.get("spec") or {}).get("monitoring") or {}).get("source")
            source = config.source(key.namespace, declared)
            by_pods = status.get("route") == "replicas"
            view = metrics.view_of(source[0], by_pods=by_pods) if source else ""
            if view:
                found.setdefault(view, set()).add(key)
    return {view: frozenset(keys) for view, keys in found.items()}
