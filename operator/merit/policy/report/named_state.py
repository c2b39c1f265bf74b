"""Where an object stands, named once: every view that people and tools read derives from it. Pure.

Conditions, phase, summary, reason, trust, the next step and the alerts are views of one
`NamedState`, so that no two of them can contradict each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal

from merit.api.reasons import REASONS
from merit.api.status import Candidate, FlowStage, Rejection, Status
from merit.policy.desired.records import lost_records
from merit.policy.desired.traffic import blocked, wanted_weights
from merit.policy.live.live_signals import not_comparable, trust
from merit.policy.state.observed import Observed
from merit.policy.state.transitions import rejection

Word = Literal["Ready", "Reconciling", "Stalled"]


class State(Enum):
    """What distinguishes one situation from every other. The first that applies, in this order."""

    ROLLBACK_BLOCKED = auto()  # a rejected revision has traffic that cannot be taken from it
    INTERNAL_ERROR = auto()  # a pass ended by a defect of the operator's own
    INVALID = auto()  # the declared spec cannot be accepted
    CONFLICT = auto()  # a needed name or route belongs to somebody else
    RECORD_LOST = auto()  # the accepted spec of what serves, or of the candidate, is missing
    WRITE_REFUSED = auto()  # the API server refuses a write that is due
    HELD = auto()  # the candidate waits for a person: no run follows, or its pods are refused
    EVALUATING = auto()  # the candidate is at gate 1
    CHECKING = auto()  # the candidate is at gate 2
    STARTING = auto()  # past its gates, no traffic yet
    CANARY = auto()  # it earns its share of the traffic
    HOLDBACK = auto()  # all but the control group is the candidate's
    WITHDRAWN = auto()  # without traffic and not rejected; it starts again
    ROLLING_BACK = auto()  # rejected at the rollout; the route does not say so yet
    ROLLED_BACK = auto()  # rejected at the rollout; an earlier revision serves
    REJECTED = auto()  # rejected at a gate, so that it never had traffic
    ACCEPTING = auto()  # newer content is declared and is not the candidate yet
    NOT_COMPARABLE = auto()  # what serves is outside a bar that no comparison can judge
    COMPARING = auto()  # what serves is compared with its predecessor
    BREACHED = auto()  # what serves is outside a bar, and only a person can end that
    BREACH_WAITS = auto()  # the same, and the next comparison is due by itself
    LIVE = auto()  # what is declared serves
    PENDING = auto()  # nothing serves yet


KSTATUS: dict[State, Word] = {
    State.INTERNAL_ERROR: "Stalled",
    State.INVALID: "Stalled",
    State.CONFLICT: "Stalled",
    State.RECORD_LOST: "Stalled",
    State.WRITE_REFUSED: "Stalled",
    State.HELD: "Stalled",
    State.ROLLED_BACK: "Stalled",
    State.REJECTED: "Stalled",
    State.NOT_COMPARABLE: "Stalled",
    State.BREACHED: "Stalled",
    State.COMPARING: "Ready",
    State.LIVE: "Ready",
}
"""What kstatus calls each state; `Reconciling` for all others."""

_BY_HAND = ("NotAutomatic", "NoHealthyRevision", "TooOld")
_REFUSED_PODS = ("QuotaExceeded", "Denied", "NeverReady", "JobWithoutPod")
_WAITS = ("AwaitingApproval", "JobSuspended")
_STALLED_GATE = {"Evaluation": "EvaluationFailed", "Feasibility": "Infeasible"}
INTERNAL_ERROR = "InternalError"
LACKING = frozenset({"NoPrice", "NoRequests", "NoLoadGenerator"})
"""Reasons for which gate 2 waits until somebody adds what is missing."""
_POLICIES = {
    "Evaluation": "another spec.evaluation",
    "Feasibility": "other spec.constraints, another spec.feasibility",
    "Rollout": "new bars",
}


@dataclass(frozen=True, slots=True)
class NamedState:
    """The state with what every view needs of it.

    `reason`: one of `api.reasons`. `facts`: one sentence, the numbers first. `remedy`: what a
    person can do, empty if nothing is needed. `flow_state`: where the object stands in the flow,
    whatever keeps it there now. `rejection`: what the ledger holds against the declared content.
    `settled`: the route does what status intends.
    """

    state: State
    reason: str
    facts: str
    flow_state: State
    remedy: str = ""
    rejection: Rejection | None = None
    settled: bool = True

    @property
    def kstatus(self) -> Word:
        """Ready, Reconciling or Stalled."""
        return KSTATUS.get(self.state, "Reconciling")

    @property
    def message(self) -> str:
        """The whole sentence: the facts, then the remedy."""
        return f"{self.facts}; {self.remedy}" if self.remedy else self.facts

    @property
    def rolled_back(self) -> bool:
        """Whether the declared content was rejected at the rollout, and nothing is on its way."""
        return self.flow_state in (State.ROLLING_BACK, State.ROLLED_BACK)


def named_state(seen: Observed, status: Status) -> NamedState:
    """Names the state of an object. `status`: as this pass leaves it."""
    identity = seen.declared.identity
    entry = rejection(status, identity) if identity is not None else None
    settled = dict(seen.traffic.route.weights) == wanted_weights(status)
    flow = _flow_state(seen, status, entry, settled=settled)
    obstacle = _obstacle(seen, status)
    state, reason, facts, remedy = obstacle or flow
    at = _AT[status.candidate.stage] if status.candidate is not None else flow[0]
    flow_state = at if flow[0] is State.HELD else flow[0]
    return NamedState(state, reason, facts, flow_state, remedy, entry, settled)


_Named = tuple[State, str, str, str]  # state, reason, facts, remedy


def _obstacle(seen: Observed, status: Status) -> _Named | None:
    """What stands above the flow, whatever stage it is in."""
    if refused := blocked(seen, status):
        return State.ROLLBACK_BLOCKED, "RollbackBlocked", _blocked(seen, status, refused), ""
    if seen.failed:
        return State.INTERNAL_ERROR, INTERNAL_ERROR, failure(seen), "report it with the traceback"
    if (problem := seen.declared.problem) is not None:
        return State.INVALID, problem.reason, problem.sentence(), ""
    if conflict := seen.traffic.conflict or seen.traffic.edited:
        return State.CONFLICT, "OwnershipConflict", conflict, ""
    if lost := lost_records(seen):
        facts = f"the ControllerRevision {seen.name}-{lost[0]} is missing"
        return State.RECORD_LOST, "RecordLost", facts, "declare that version again"
    for why in seen.refused_writes.values():
        return State.WRITE_REFUSED, "Denied", f"the API server refuses a write: {why}", ""
    return None


def failure(seen: Observed) -> str:
    """What an exception in a pass means, in words."""
    return (
        f"a pass has failed with {seen.failed}, whose traceback is in the operator's log: no share "
        "rises; what takes traffic away still acts, as far as it does not depend on what failed"
    )


def _blocked(seen: Observed, status: Status, refused: str) -> str:
    wanted = wanted_weights(status)
    kept = [seen.pods[s] for s in seen.traffic.route.weights if s not in wanted and s in seen.pods]
    stable = status.stable.short if status.stable is not None else "nothing"
    if kept and all(pods.diverted for pods in kept):
        return f"the route cannot be written, so its backend leads to {stable}: {refused}"
    return f"traffic cannot be taken back: {refused}"


def _flow_state(
    seen: Observed, status: Status, entry: Rejection | None, *, settled: bool
) -> _Named:
    stable, identity = status.stable, seen.declared.identity
    if status.candidate is not None:
        return _of_candidate(seen, status, status.candidate)
    if entry is not None:
        return _of_rejected(seen, status, entry, settled=settled)
    if stable is not None and identity is not None and stable.revision != identity.revision:
        return State.ACCEPTING, "Accepting", "newer content is declared", ""
    if stable is not None and seen.traffic.route.weights:
        return _of_live(seen, status)
    return State.PENDING, "Progressing", "waiting for traffic to be set", ""


_AT = {
    "Evaluation": State.EVALUATING,
    "Feasibility": State.CHECKING,
    "Rollout": State.CANARY,
    "Holdback": State.HOLDBACK,
    "Withdrawn": State.WITHDRAWN,
}


def _of_candidate(seen: Observed, status: Status, candidate: Candidate) -> _Named:
    entry = status.stage(candidate.flow_stage)
    state = _AT[candidate.stage]
    if state is State.CANARY and candidate.weight == 0:
        state = State.STARTING
    if entry is None:
        return state, _under_way(candidate), f"{candidate.stage} begins", ""
    if state is State.WITHDRAWN:
        return state, "Withdrawn", entry.message, ""
    if _is_held(candidate, entry):
        remedy = remedy_by_hand(seen.name, entry) if candidate.held else ""
        advice = f"no run follows by itself: {remedy}" if remedy else ""
        return State.HELD, entry.reason, entry.message, advice
    waits = entry.verdict != "Undecided" or entry.reason in _WAITS
    return state, entry.reason if waits else _under_way(candidate), entry.message, ""


def _is_held(candidate: Candidate, entry: FlowStage) -> bool:
    if candidate.held or (candidate.stage == "Feasibility" and entry.reason in LACKING):
        return True
    return entry.reason in _REFUSED_PODS and not candidate.weight


def _under_way(candidate: Candidate) -> str:
    """The reason of a stage that goes on as it should."""
    if candidate.stage == "Rollout":
        return "Canary" if candidate.weight else "Starting"
    running = {"Evaluation": "EvaluationRunning", "Feasibility": "FeasibilityRunning"}
    return running.get(candidate.stage, candidate.stage)


def _of_rejected(seen: Observed, status: Status, entry: Rejection, *, settled: bool) -> _Named:
    if not settled:
        back, progress = status.stable, "traffic is being taken back"
        if back is not None and seen.pods_of(back.short).ready == 0:
            progress = f"{back.short} has no ready pod yet; it gets no traffic before"
        return State.ROLLING_BACK, "RollingBack", entry.evidence, progress
    state = State.ROLLED_BACK if entry.stage == "Rollout" else State.REJECTED
    reason = _STALLED_GATE.get(entry.stage, "RolledBack")
    remedy = f"it is tried again for {tried_again(seen.name, entry)}"
    return state, "Aborted" if entry.reason == "Aborted" else reason, entry.evidence, remedy


def _of_live(seen: Observed, status: Status) -> _Named:
    """A comparison is no verdict, and leaves it ready; a breach that asks for a rollback does not.

    Stalled where only a person can end it; otherwise the next comparison is due by itself.
    """
    assert status.stable is not None
    alarm, unproven = status.alarm, not_comparable(seen, status)
    acts = alarm is not None and alarm.held != "AlertOnly"
    if unproven and status.comparison is None and not acts:
        return State.NOT_COMPARABLE, "NotComparable", unproven, ""
    word, _, sentence = trust(seen, status)
    if status.comparison is not None:
        return State.COMPARING, "Comparing", sentence, ""
    if alarm is not None and acts:
        by_hand = alarm.held in _BY_HAND
        state = State.BREACHED if by_hand else State.BREACH_WAITS
        return state, alarm.held or alarm.reason, f"{alarm.message}; {alarm.why}", ""
    since = f"; watched since {status.stable.promoted_at}" if word == "True" else ""
    return State.LIVE, "Live", f"{sentence}{since}", ""


def tried_again(name: str, entry: Rejection) -> str:
    """What lets a rejected version be tried again."""
    return f"new content, {_POLICIES[entry.stage]}, or kubectl merit retry {name}"


def remedy_by_hand(name: str, flow: FlowStage | None) -> str:
    """What a person does about a gate that is held. `flow`: the gate's last verdict."""
    reason = REASONS.get(flow.reason) if flow else None
    steps = [reason.remedy] if reason and reason.remedy else []
    if flow and flow.reason == "JobFailed":
        steps = [f"see kubectl logs job/{flow.record} --all-containers"]
    return "; ".join([*steps, f"kubectl merit retry {name} runs it again"])
