"""The conditions, which kubectl, Argo CD and Flux read. Nothing decides on them. Pure."""

from __future__ import annotations

from merit.api.quantity import format_duration
from merit.api.status import Condition, Status
from merit.policy.desired.pin import pin_conflict
from merit.policy.live.live_signals import trust
from merit.policy.report.named_state import INTERNAL_ERROR, NamedState, State, failure
from merit.policy.state.context import share_summary
from merit.policy.state.observed import Observed
from merit.policy.state.route_kind import by_pods
from merit.policy.state.times import stamp
from merit.stats.counts import NoSample, Sample

_AT_STEP = (State.STARTING, State.CANARY, State.HOLDBACK)
_FAILED = (("Ready", "False"), ("Stalled", "True"))
WARNING = "; note: "  # before each warning in the message of MetricsAvailable


def conditions_of(seen: Observed, status: Status, named: NamedState, now: float) -> list[Condition]:
    """All conditions, without times.

    `Reconciling` and `Stalled` are absent when not true, and never stand beside each other.
    """
    word, message, entry = named.kstatus, named.message, named.rejection
    if word == "Ready" and status.stable is not None:
        message = f"revision {status.stable.short} serves"
    found = [_c("Ready", "True" if word == "Ready" else "False", named.reason, message)]
    if word != "Ready":
        found.append(_c(word, "True", named.reason, message))
    if entry is not None and named.rolled_back and named.settled:
        found.append(_c("RolledBack", "True", entry.reason, entry.evidence))
    found += [
        _available(seen, status),
        _gate(status, "Evaluated", "Evaluation"),
        _gate(status, "Feasible", "Feasibility"),
        _traffic(seen),
        _trusted(seen, status, named),
        _metrics(seen, status),
    ]
    found += _paused(seen, status, named)
    found += _bypassed(status)
    if seen.undelivered:
        found.append(_c("AlertsDelivered", "False", "AlertsUndelivered", seen.undelivered))
    fought = pin_conflict(seen, status, now)
    if fought:
        found.append(_c("OwnershipConflict", "True", "OwnershipConflict", fought))
    return found


def _bypassed(status: Status) -> list[Condition]:
    """True while stages are skipped; False while a bypass is declared that is refused or over."""
    bypass = status.bypass
    if bypass is None:
        return []
    declared = f"{', '.join(bypass.stages)} until {bypass.expires}: {bypass.reason}"
    word, reason, state = {
        "InForce": ("True", "Bypassed", "skipped"),
        "Refused": ("False", "BypassRefused", "more than 24h ahead"),
        "Over": ("False", "BypassOver", "over"),
    }[bypass.state]
    return [_c("Bypassed", word, reason, f"{state}: {declared}")]


def _paused(seen: Observed, status: Status, named: NamedState) -> list[Condition]:
    """A person holds it, by spec.paused or by a step that waits for an approval."""
    if seen.paused:
        return [_c("Paused", "True", "Paused", "spec.paused holds it; safety still acts")]
    rollout = status.stage("Rollout") if status.candidate is not None else None
    if rollout is None or rollout.reason != "AwaitingApproval" or named.flow_state not in _AT_STEP:
        return []
    return [_c("Paused", "True", rollout.reason, rollout.message)]


def _available(seen: Observed, status: Status) -> Condition:
    if status.stable is None or not seen.traffic.route.weights:
        return _c("Available", "False", "NotYet", "no revision serves users yet")
    shares = sorted(seen.traffic.route.weights.items())
    bare = [f"{s} has {w}%" for s, w in shares if seen.pods_of(s).ready == 0]
    if bare:
        return _c("Available", "False", "NoReadyPods", f"{', '.join(bare)} and no ready pod")
    return _c("Available", "True", "StableServes", "")


def _trusted(seen: Observed, status: Status, named: NamedState) -> Condition:
    """About what serves: earned, lost, or not known."""
    if named.rejection is not None and named.rolled_back and not named.settled:
        return _c("Trusted", "False", named.rejection.reason, named.rejection.evidence)
    if status.candidate is not None and status.candidate.weight > 0:
        return _c("Trusted", "Unknown", "Earning", "the candidate is earning it")
    return _c("Trusted", *trust(seen, status))


def _c(type_: str, status: str, reason: str, message: str) -> Condition:
    return Condition.model_validate(
        {"type": type_, "status": status, "reason": reason or "Unknown", "message": message[:1024]}
    )


def stamped(seen: Observed, found: list[Condition], now: float) -> tuple[Condition, ...]:
    """Conditions with their times: `lastTransitionTime` changes only when `status` does."""
    stamped = []
    for condition in found:
        old = seen.status.condition(condition.type)
        same = old is not None and old.status == condition.status
        at = old.last_transition_time if same and old else stamp(now)
        update = {"last_transition_time": at, "observed_generation": seen.generation}
        stamped.append(condition.model_copy(update=update))
    return tuple(stamped)


def with_failure(seen: Observed, status: Status, now: float) -> Status:
    """Status that says only that a pass has failed, where nothing else can be worked out."""
    said = [_c(kind, word, INTERNAL_ERROR, failure(seen)) for kind, word in _FAILED]
    rest = [c for c in status.conditions if c.type not in ("Ready", "Reconciling", "Stalled")]
    return status.model_copy(
        update={
            "conditions": (*stamped(seen, said, now), *rest),
            "reason": INTERNAL_ERROR,
            "summary": failure(seen)[:256],
        }
    )


def _gate(status: Status, type_: str, stage: str) -> Condition:
    entry = status.stage(stage)
    if entry is None:
        return _c(type_, "Unknown", "NotYet", "has not run for this revision")
    word = {"Good": "True", "Bad": "False"}.get(entry.verdict, "Unknown")
    return _c(type_, word, entry.reason, entry.message)


def _traffic(seen: Observed) -> Condition:
    route = seen.traffic.route
    if seen.traffic.refused:
        return _c("TrafficShifted", "False", "RouteNotAccepted", seen.traffic.refused)
    if not route.exists:
        return _c("TrafficShifted", "Unknown", "NoRoute", "no route yet")
    if route.accepted is None:
        return _c("TrafficShifted", "Unknown", "RoutePending", "the gateway has not answered yet")
    if by_pods(seen):
        return _c("TrafficShifted", "True", "ByPodCount", share_summary(seen))
    if route.accepted:
        return _c("TrafficShifted", "True", "RouteAccepted", "")
    return _c("TrafficShifted", "False", "RouteNotAccepted", route.reason)


def _metrics(seen: Observed, status: Status) -> Condition:
    """Whether measurements arrive. That nobody sends requests is no loss of metrics."""
    old = status.condition("MetricsAvailable")
    sample, live = seen.measurements.sample, seen.measurements.live
    if isinstance(sample, NoSample):
        word = "Unknown" if sample.reason == "NoTraffic" else "False"
        return _c("MetricsAvailable", word, sample.reason, sample.message)
    if sample is None and isinstance(live, NoSample) and live.reason != "NoTraffic":
        if old is not None and (old.status, old.reason) == ("False", live.reason):
            return old  # the message may hold an age, and an object at rest costs no write
        return _c("MetricsAvailable", "False", live.reason, live.message)
    if sample is None and live is None:
        word, reason = (old.status, old.reason) if old else ("Unknown", "Unobserved")
        message = old.message.partition(WARNING)[0] if old else "nothing needed them yet"
        return _c("MetricsAvailable", word, reason, message + _warnings(seen))
    samples = [one for one in (sample, live) if isinstance(one, Sample)]
    unread = [each for one in samples for each in one.lost.values()]
    if unread:
        return _c("MetricsAvailable", "False", unread[0].reason, unread[0].message)
    message = f"{seen.tuning.source}: {_dispersion(seen, status)}"
    return _c("MetricsAvailable", "True", "Fresh", message + _warnings(seen))


def _warnings(seen: Observed) -> str:
    return "".join(f"{WARNING}{sentence}" for _, sentence in seen.measurements.warnings)


def _dispersion(seen: Observed, status: Status) -> str:
    """What limits how fast evidence may grow: the measured dispersion, or caution."""
    cautious = seen.tuning.constants.patience_unmeasured
    signals = status.analysis.signals if status.analysis is not None else ()
    measured = [f"{s.phi} for {s.name}" for s in signals if float(s.patience) < cautious]
    if measured:
        return f"dispersion {', '.join(measured)}, measured on stable's pods"
    why = "no per-pod counts"
    if seen.tuning.per_pod:
        why = "no history of two stable pods over an hour"
    return f"{why}, so dispersion is taken as 3 and patience is {format_duration(cautious)}"
