"""Whose counts the watch asks for: what serves alone, and, in a comparison, its predecessor too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from merit.cluster.cache import Key
from merit.metrics.arms import FleetArms
from merit.policy.observed import Accepted, Observed
from merit.policy.signals import declared


def live_arms(key: Key, seen: Observed) -> FleetArms | None:
    """The stable revision alone, since the watch last looked; None if nothing can be asked."""
    serving, stable = _serving(seen), seen.status.stable
    if serving is None or stable is None:
        return None
    watch = seen.status.watch
    ours = watch is not None and watch.get("of") == serving.identity.key
    since = consumed(watch) if ours else None
    return _arms(key, seen, serving, candidate=None, stable=stable.short, since=since)


def probe_arms(key: Key, seen: Observed) -> FleetArms | None:
    """What serves as the candidate beside its predecessor; None unless they are compared."""
    serving, probe, stable = _serving(seen), seen.status.verifying, seen.status.stable
    if serving is None or stable is None or probe is None or probe.stage != "Comparing":
        return None
    before = seen.accepted.get(f"{probe.short}-{probe.policy}")
    port = before.spec.serving.port if before else None
    since = consumed(probe.analysis)
    arms = _arms(key, seen, serving, candidate=stable.short, stable=probe.short, since=since)
    return replace(arms, stable_port=port)


def soon_judged(seen: Observed) -> Accepted | None:
    """Whose terms are fixed next: a candidate's before its first request, or a comparison's."""
    candidate, probe = seen.status.candidate, seen.status.verifying
    if probe is not None and probe.analysis is None:
        return _serving(seen)
    if candidate is None or candidate.stage != "Rollout" or seen.status.analysis:
        return None
    return seen.accepted.get(f"{candidate.short}-{candidate.policy}")


def consumed(state: Mapping[str, Any] | None) -> float | None:
    """Up to when counts were turned into evidence, in Prometheus' time."""
    until = (state or {}).get("consumedUntil")
    return datetime.fromisoformat(until).timestamp() if until else None


def _serving(seen: Observed) -> Accepted | None:
    stable = seen.status.stable
    if stable is None or not seen.tuning.view:
        return None
    return seen.accepted.get(f"{stable.short}-{stable.policy}")


def _arms(
    key: Key,
    seen: Observed,
    serving: Accepted,
    *,
    candidate: str | None,
    stable: str,
    since: float | None,
) -> FleetArms:
    return FleetArms(
        namespace=key.namespace,
        name=key.name,
        candidate=candidate,
        stable=stable,
        port=serving.spec.serving.port,
        since=since,
        edges={signal.name: signal.bound for signal in declared(serving.spec)},
        source=seen.tuning.view,
    )
