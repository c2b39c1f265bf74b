"""`status`: what the operator reports, and all that it remembers between two passes.

Times are RFC 3339 strings in UTC with seconds. Shares and evidence are decimal strings, so that
JSON's floats round nothing.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from merit.api.evidence_state import KeptAnalysis, KeptWatch
from merit.api.fields import Reported
from merit.api.live_status import Alarm, Comparison, DriftState, Retraining, RevisionRef

Stage = Literal["Evaluation", "Feasibility", "Rollout"]


class Condition(Reported):
    """A standard Kubernetes condition, as kubectl, Argo CD and Flux read it."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str = ""
    last_transition_time: str = ""
    observed_generation: int = 0


class Revision(RevisionRef):
    """A revision that was promoted."""

    promoted_at: str = Field(default="", description="When it was promoted.")
    replicas: int = Field(
        default=0, description="Pods that its load test found necessary; 0: scale.replicas.min."
    )
    bypassed: tuple[Stage, ...] = Field(
        default=(), description="Stages that were skipped by spec.bypass."
    )


class Signal(Reported):
    """A signal of what serves: its value, its bar, and the number of requests."""

    name: str
    value: str = ""
    bar: str = ""
    n: int = 0
    verdict: Literal["Good", "Bad", "Undecided", "NoData"] = "NoData"
    at: str = Field(default="", description="When it was measured. Small changes are not written.")
    query: str = Field(default="", description="Of a user's own query: 8 characters of its hash.")


class Candidate(RevisionRef):
    """The revision that is not yet promoted: its stage, its weight, and since when."""

    stage: Literal["Evaluation", "Feasibility", "Rollout", "Holdback", "Withdrawn"]
    weight: int = Field(default=0, description="Percent of traffic that it should have.")
    step: int = Field(default=0, description="Number of its step, from 1; 0 before it has traffic.")
    attempt: int = Field(default=1, description="Number of the run of the stage's Job, from 1.")
    retry: int = Field(default=0, description="How often a person asked for a retry.")
    load: str = Field(default="", description="All requests per second when it first had traffic.")
    replicas: int = Field(
        default=0, description="Pods that its load test found necessary; 0: scale.replicas.min."
    )
    capacity: str = Field(
        default="", description="Requests per second that one pod can serve, as measured."
    )
    approved: int = Field(default=0, description="Largest weight that a person has approved.")
    failures: int = Field(default=0, description="Runs without a verdict, in a row.")
    held: bool = Field(
        default=False, description="The last run had no verdict, and no further one will start."
    )
    since: str = Field(description="When this stage or step began.")
    rollout_since: str = Field(default="", description="When it first had traffic.")
    floor: int = Field(
        default=0,
        description="Pods of the stable revision when this one first had traffic. Stable keeps as "
        "many, to take all traffic back.",
    )
    bypassed: tuple[Stage, ...] = Field(
        default=(), description="Stages that were skipped by spec.bypass."
    )
    excused: str = Field(
        default="",
        description="Until when an incident of the fleet keeps it from being blamed, and from "
        "starting again. That happens once.",
    )
    superseded: bool = Field(
        default=False, description="Newer content is declared; this candidate is being removed."
    )
    measured: tuple[Signal, ...] = Field(
        default=(), description="Its signals, as it was when its traffic was taken."
    )

    @property
    def at_gate(self) -> bool:
        """Whether it is at one of the two gates, and so never had traffic."""
        return self.stage in ("Evaluation", "Feasibility")

    @property
    def flow_stage(self) -> Stage:
        """Its stage in `status.flow`: everything after the gates is the rollout."""
        if self.stage == "Evaluation" or self.stage == "Feasibility":
            return self.stage
        return "Rollout"

    @property
    def run(self) -> int:
        """Number of the run over all retries; part of the names of its Job and its record."""
        return self.retry * 100_000 + self.attempt


class FlowStage(Reported):
    """One stage of the decision flow: its verdict, the reason and the numbers."""

    stage: Literal["Declared", "Evaluation", "Feasibility", "Rollout", "Live"]
    verdict: Literal["Good", "Bad", "Undecided", "NoData", "Pending"]
    reason: str = ""
    at: str = ""
    record: str = Field(default="", description="Name of the ConfigMap with its record.")
    message: str = ""
    signal: str = Field(default="", description="The signal of the verdict, if there is one.")


class NextStep(Reported):
    """What happens next, and when the object is reconciled again at the latest."""

    at: str = ""
    what: str = ""


class DecisionLine(Reported):
    """One decision, and the reason for it."""

    at: str
    what: str
    why: str = ""


class Rejection(Reported):
    """Content that was rejected: at which stage, by which policy of that stage."""

    revision: str
    stage: Stage
    policy: str
    reason: str
    at: str
    evidence: str = ""
    version: str = ""
    retry: int = Field(default=0, description="How often a person had asked for a retry before.")
    signals: tuple[Signal, ...] = Field(
        default=(), description="What was measured of each signal when its traffic was taken."
    )


class Promotion(RevisionRef):
    """A revision that was promoted; a rollback may return to it. Newest first in status."""

    at: str
    replicas: int = 0
    bypassed: tuple[Stage, ...] = Field(
        default=(), description="Stages that were skipped; they do not count as passed."
    )


class BypassSeen(Reported):
    """spec.bypass as it was first seen, and its state."""

    stages: tuple[Stage, ...]
    reason: str
    expires: str
    since: str = Field(description="When it was first seen; it must expire within 24h from then.")
    state: Literal["InForce", "Refused", "Over"]


class Passed(Reported):
    """A gate that content has passed. It is not run again while its bars are unchanged.

    `stable`: the revision that it was compared with, where a bar compares; empty without one.
    """

    revision: str
    stage: Stage
    policy: str
    record: str
    at: str
    stable: str = ""


class Leaving(Reported):
    """A revision that lost its traffic and keeps its pods until its last requests are answered."""

    short: str
    since: str
    until: str = Field(description="When its pods are removed at the latest.")
    kept: bool = Field(default=False, description="Its pods run until then, for a rollback.")


class Status(Reported):
    """The status of a ModelDeployment."""

    observed_generation: int = -1
    phase: str = Field(default="", description="Where it is in its flow, as Canary 25%.")
    trust: str = Field(default="", description="Trust in what serves, in one word.")
    reason: str = Field(default="", description="Why: a word, and the number that matters.")
    summary: str = Field(default="", description="The same as reason, as a whole sentence.")
    conditions: tuple[Condition, ...] = ()
    stable: Revision | None = None
    candidate: Candidate | None = None
    route: str = Field(default="", description="The kind of route, which cannot change.")
    leaving: tuple[Leaving, ...] = ()
    flow: tuple[FlowStage, ...] = ()
    signals: tuple[Signal, ...] = ()
    drift: tuple[DriftState, ...] = ()
    next: NextStep | None = None
    decisions: tuple[DecisionLine, ...] = ()
    rejected: tuple[Rejection, ...] = ()
    promoted: tuple[Promotion, ...] = ()
    bypass: BypassSeen | None = None
    passed: tuple[Passed, ...] = Field(
        default=(), description="Gates that were passed, at most 10, newest first."
    )
    runs: int = Field(
        default=0,
        description="The highest attempt of earlier candidates; run numbers are not reused.",
    )
    last_handled: dict[str, str] = Field(
        default_factory=dict, description="For each verb the value of the token handled last."
    )
    handled: tuple[str, ...] = Field(
        default=(), description="Hashes of the tokens handled before, so that none works twice."
    )
    effective: dict[str, Any] = Field(default_factory=dict)
    analysis: KeptAnalysis = None
    applied: dict[str, str] = Field(
        default_factory=dict,
        description="A digest of each child after it was last applied; a different one means that "
        "somebody else edited the child.",
    )
    watch: KeptWatch = None
    alarm: Alarm | None = None
    comparison: Comparison | None = None
    cooldown_until: str = ""
    retrain: Retraining | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON for the API server: camelCase, without empty fields."""
        return self.model_dump(by_alias=True, exclude_defaults=True) | {
            "observedGeneration": self.observed_generation
        }

    def stage(self, name: str) -> FlowStage | None:
        """The entry of that stage in `flow`, or None before it has begun."""
        return next((entry for entry in self.flow if entry.stage == name), None)

    def condition(self, type_: str) -> Condition | None:
        """The condition of that type, or None."""
        return next((c for c in self.conditions if c.type == type_), None)
