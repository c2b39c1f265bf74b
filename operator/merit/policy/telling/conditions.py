"""The conditions, which kubectl, Argo CD and Flux read. Nothing decides on them."""

from __future__ import annotations

from typing import Literal, NamedTuple

from merit.api.quantity import format_duration
from merit.api.spec import Spec
from merit.api.status import Candidate, Condition, Rejection, Status
from merit.api.validation import Invalid
from merit.evidence.counts import NoSample
from merit.policy.canary.case import shares_told
from merit.policy.observed import Arm, Observed
from merit.policy.standing.converge import blocked, wanted_weights
from merit.policy.standing.pin import pin_conflict
from merit.policy.standing.records import lost_records
from merit.policy.standing.routes import by_pods
from merit.policy.telling.ahead import LACKING, by_hand, tried_again
from merit.policy.times import stamp
from merit.policy.watch.live import not_comparable, trust_condition

WARNING = "; note: "  # before what is well known to be worth a look

_STALLED_GATE = {
    "Evaluation": "EvaluationFailed",
    "Feasibility": "Infeasible",
    "Rollout": "RolledBack",
}


def invalid(seen: Observed) -> Invalid | None:
    """What is wrong with the declared spec, ours or the API server's sentence."""
    return seen.spec if isinstance(seen.spec, Invalid) else seen.refused


def settled(seen: Observed, status: Status) -> bool:
    """The route does what status intends."""
    return dict(seen.route.weights) == wanted_weights(status)


class State(NamedTuple):
    """Where an object stands, as kstatus sees it: done, at work, or waiting for somebody to act."""

    word: Literal["Ready", "Reconciling", "Stalled"]
    reason: str
    message: str


def conditions_of(
    seen: Observed, status: Status, entry: Rejection | None, now: float
) -> list[Condition]:
    """All conditions, without times. `entry`: what the ledger holds against what is declared.

    `Reconciling` and `Stalled` are absent when not true, and never stand beside each other.
    """
    state = _state(seen, status, entry)
    found = [_c("Ready", "True" if state.word == "Ready" else "False", state.reason, state.message)]
    if state.word != "Ready":
        found.append(_c(state.word, "True", state.reason, state.message))
    rejected = entry is not None and entry.stage == "Rollout" and status.candidate is None
    if entry is not None and rejected and settled(seen, status):
        found.append(_c("RolledBack", "True", entry.reason, entry.evidence))
    found += [
        _available(seen, status),
        _gate(status, "Evaluated", "Evaluation"),
        _gate(status, "Feasible", "Feasibility"),
        _traffic(seen),
        _trusted(seen, status),
        _metrics(seen, status),
    ]
    found += _paused(seen, status)
    found += _bypassed(status)
    if seen.undelivered:
        found.append(_c("AlertsDelivered", "False", "AlertsUndelivered", seen.undelivered))
    fought = pin_conflict(seen, status, now)
    if fought:
        found.append(_c("OwnershipConflict", "True", "OwnershipConflict", fought))
    return found


def _bypassed(status: Status) -> list[Condition]:
    """True while stages are skipped; False while a bypass stands that is refused or over."""
    known = status.bypass
    if known is None:
        return []
    said = f"{', '.join(known.stages)} until {known.expires}: {known.reason}"
    match known.state:
        case "InForce":
            return [_c("Bypassed", "True", "Bypassed", f"skipped: {said}")]
        case "Refused":
            return [_c("Bypassed", "False", "BypassRefused", f"more than 24h ahead: {said}")]
        case "Over":
            return [_c("Bypassed", "False", "BypassOver", f"over: {said}")]


def _paused(seen: Observed, status: Status) -> list[Condition]:
    """A person holds it, by spec.paused or by a step that waits for a yes."""
    if isinstance(seen.spec, Spec) and seen.spec.paused:
        return [_c("Paused", "True", "Paused", "spec.paused holds it; safety still acts")]
    if status.candidate is None:
        return []
    _, reason, message = progress(status)
    return [_c("Paused", "True", reason, message)] if reason == "AwaitingApproval" else []


def _state(seen: Observed, status: Status, entry: Rejection | None) -> State:
    if refused := blocked(seen, status):
        return State("Reconciling", "RollbackBlocked", _blocked(seen, status, refused))
    wrong = invalid(seen)
    if wrong is not None:
        return State("Stalled", wrong.reason, wrong.sentence())
    if seen.conflict:
        return State("Stalled", "OwnershipConflict", seen.conflict)
    if lost := lost_records(seen):
        said = (
            f"the ControllerRevision {seen.name}-{lost[0]} is missing; declare that version again"
        )
        return State("Stalled", "RecordLost", said)
    if status.candidate is not None:
        held, reason, message = progress(status)
        if status.candidate.held:
            flow = next((s for s in status.flow if s.stage == status.candidate.stage), None)
            message += f"; no run follows by itself: {by_hand(seen.name, flow)}"
        return State("Stalled" if held == "held" else "Reconciling", reason, message)
    if entry is not None:
        if not settled(seen, status):
            return State("Reconciling", "RollingBack", _waits_for(seen, status))
        reason = "Aborted" if entry.reason == "Aborted" else _STALLED_GATE[entry.stage]
        retried = f"it is tried again for {tried_again(seen.name, entry)}"
        return State("Stalled", reason, f"{entry.evidence}; {retried}")
    if newer(seen, status):
        return State("Reconciling", "Accepting", "newer content is declared")
    if status.stable is not None and seen.route.weights:
        return _live(seen, status, status.stable.short)
    return State("Reconciling", "Progressing", "waiting for traffic to be set")


def newer(seen: Observed, status: Status) -> bool:
    """Whether content is declared that is not taken up yet: to be Ready would be about another."""
    stable, identity = status.stable, seen.identity
    if stable is None or identity is None or status.candidate is not None:
        return False
    return stable.revision != identity.revision


def _blocked(seen: Observed, status: Status, refused: str) -> str:
    wanted = wanted_weights(status)
    kept = [seen.arms[s] for s in seen.route.weights if s not in wanted and s in seen.arms]
    stable = status.stable.short if status.stable is not None else "nothing"
    if kept and all(arm.diverted for arm in kept):
        return f"the route cannot be written, so its backend leads to {stable}: {refused}"
    return f"traffic cannot be taken back: {refused}"


def _waits_for(seen: Observed, status: Status) -> str:
    back = status.stable
    if back is not None and seen.arms.get(back.short, Arm(back.short)).ready == 0:
        return f"{back.short} has no ready pod yet; it gets no traffic before"
    return "traffic is being taken back"


def _available(seen: Observed, status: Status) -> Condition:
    if status.stable is None or not seen.route.weights:
        return _c("Available", "False", "NotYet", "no revision serves users yet")
    shares = sorted(seen.route.weights.items())
    bare = [f"{s} has {w}%" for s, w in shares if seen.arms.get(s, Arm(s)).ready == 0]
    if bare:
        return _c("Available", "False", "NoReadyPods", f"{', '.join(bare)} and no ready pod")
    return _c("Available", "True", "StableServes", "")


def _live(seen: Observed, status: Status, short: str) -> State:
    """A comparison is no verdict, and leaves it ready; a breach that asks for a rollback does not.

    Stalled where only a person can end it; otherwise the next comparison is due by itself.
    """
    alarm, uncounted = status.alarm, not_comparable(seen, status)
    if uncounted and status.verifying is None and (alarm is None or alarm.held == "AlertOnly"):
        return State("Stalled", "NotComparable", uncounted)
    if status.verifying is not None or alarm is None or alarm.held == "AlertOnly":
        return State("Ready", "Live", f"revision {short} serves")
    by_hand = alarm.held in ("NotAutomatic", "NoHealthyRevision", "TooOld")
    word: Literal["Stalled", "Reconciling"] = "Stalled" if by_hand else "Reconciling"
    return State(word, alarm.held or alarm.reason, f"{alarm.message}; {alarm.why}")


def _trusted(seen: Observed, status: Status) -> Condition:
    if status.candidate is not None and status.candidate.weight > 0:
        return _c("Trusted", "Unknown", "Earning", "the candidate is earning it")
    return trust_condition(seen, status)


def _c(type_: str, status: str, reason: str, message: str) -> Condition:
    return Condition.model_validate(
        {"type": type_, "status": status, "reason": reason or "Unknown", "message": message[:1024]}
    )


def stamped(seen: Observed, found: list[Condition], now: float) -> tuple[Condition, ...]:
    """Conditions with times: one moves only when its status does."""
    stamped = []
    for condition in found:
        old = seen.status.condition(condition.type)
        same = old is not None and old.status == condition.status
        at = old.last_transition_time if same and old else stamp(now)
        stamped.append(
            condition.model_copy(
                update={"last_transition_time": at, "observed_generation": seen.generation}
            )
        )
    return tuple(stamped)


def progress(status: Status) -> tuple[str, str, str]:
    """held or going on, with the reason and words of the stage that the candidate is in."""
    candidate = status.candidate
    assert candidate is not None
    stage = "Rollout" if candidate.stage in ("Holdback", "Withdrawn") else candidate.stage
    entry = next((s for s in status.flow if s.stage == stage), None)
    if entry is None:
        return "going", _under_way(candidate), f"{candidate.stage} begins"
    if candidate.stage == "Withdrawn":
        return "going", "Withdrawn", entry.message
    if candidate.held or (stage == "Feasibility" and entry.reason in LACKING):
        return "held", entry.reason, entry.message
    if entry.reason in ("QuotaExceeded", "Denied", "NeverReady") and not candidate.weight:
        return "held", entry.reason, entry.message
    speaks = entry.verdict != "Undecided" or entry.reason == "AwaitingApproval"
    return "going", entry.reason if speaks else _under_way(candidate), entry.message


def _under_way(candidate: Candidate) -> str:
    """The reason of a stage that goes on as it should."""
    if candidate.stage == "Rollout":
        return "Canary" if candidate.weight else "Starting"
    return {"Evaluation": "EvaluationRunning", "Feasibility": "FeasibilityRunning"}.get(
        candidate.stage, candidate.stage
    )


def _gate(status: Status, type_: str, stage: str) -> Condition:
    entry = next((s for s in status.flow if s.stage == stage), None)
    if entry is None:
        return _c(type_, "Unknown", "NotYet", "has not run for this revision")
    word = {"Good": "True", "Bad": "False"}.get(entry.verdict, "Unknown")
    return _c(type_, word, entry.reason, entry.message)


def _traffic(seen: Observed) -> Condition:
    if seen.traffic_refused:
        return _c("TrafficShifted", "False", "RouteNotAccepted", seen.traffic_refused)
    if not seen.route.exists:
        return _c("TrafficShifted", "Unknown", "NoRoute", "no route yet")
    if seen.route.accepted is None:
        return _c("TrafficShifted", "Unknown", "RoutePending", "the gateway has not answered yet")
    if by_pods(seen):
        return _c("TrafficShifted", "True", "ByPodCount", shares_told(seen))
    if seen.route.accepted:
        return _c("TrafficShifted", "True", "RouteAccepted", "")
    return _c("TrafficShifted", "False", "RouteNotAccepted", seen.route.reason)


def _metrics(seen: Observed, status: Status) -> Condition:
    old = status.condition("MetricsAvailable")
    if isinstance(seen.sample, NoSample):
        # Silence of callers is no loss: one that follows is counted from its own beginning.
        word = "Unknown" if seen.sample.reason == "NoTraffic" else "False"
        return _c("MetricsAvailable", word, seen.sample.reason, seen.sample.message)
    quiet = isinstance(seen.live, NoSample) and seen.live.reason == "NoTraffic"
    if seen.sample is None and isinstance(seen.live, NoSample) and not quiet:
        if old is not None and (old.status, old.reason) == ("False", seen.live.reason):
            return old  # its words may carry an age; an object at rest is not written for that
        return _c("MetricsAvailable", "False", seen.live.reason, seen.live.message)
    if seen.sample is None and seen.live is None:
        word, reason = (old.status, old.reason) if old else ("Unknown", "Unobserved")
        said = old.message.partition(WARNING)[0] if old else "nothing needed them yet"
        return _c("MetricsAvailable", word, reason, said + _warned(seen))
    said = f"{seen.tuning.source}: {_dispersion(seen, status)}"
    return _c("MetricsAvailable", "True", "Fresh", said + _warned(seen))


def _warned(seen: Observed) -> str:
    return "".join(f"{WARNING}{sentence}" for _, sentence in seen.warnings)


def _dispersion(seen: Observed, status: Status) -> str:
    """What limits how fast evidence may grow: the measured dispersion, or caution."""
    patience = format_duration(seen.tuning.constants.patience_unmeasured)
    cautious = seen.tuning.constants.patience_unmeasured
    told = [
        f"{signal['phi']} for {signal['name']}"
        for signal in (status.analysis or {}).get("signals", ())
        if float(signal.get("patience", cautious)) < cautious
    ]
    if told:
        return f"dispersion {', '.join(told)}, measured on stable's pods"
    why = "no per-pod counts"
    if seen.tuning.per_pod:
        why = "no history of two stable pods over an hour"
    return f"{why}, so dispersion is taken as 3 and patience is {patience}"
