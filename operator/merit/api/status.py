"""What the operator tells: `status`. It is also all that the operator remembers.

Times are RFC 3339 strings in UTC with seconds; shares and scores are decimal strings, so that
nothing is lost or invented by a float's way through JSON.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from merit.api.base import Told
from merit.api.watched import Alarm, DriftState, Retraining, Verifying

Stage = Literal["Evaluation", "Feasibility", "Rollout"]


class Condition(Told):
    """One condition in the form of Kubernetes, read by kubectl, Argo CD and Flux."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str = ""
    last_transition_time: str = ""
    observed_generation: int = 0


class Revision(Told):
    """A revision that serves or served: content, and the policy that it was accepted with."""

    revision: str = Field(description="h1: and the SHA-256 of the declared model and serving.")
    short: str = Field(description="The first 8 hex digits of the revision, as in object names.")
    policy: str = Field(description="8 hex digits over what judges this revision.")
    version: str = Field(description="spec.model.version, for people.")
    promoted_at: str = Field(default="", description="When it was promoted.")
    replicas: int = Field(
        default=0, description="Pods that its load test found needed; 0: scale.replicas.min."
    )
    bypassed: tuple[Stage, ...] = Field(
        default=(), description="Stages that were skipped by spec.bypass."
    )


class Candidate(Told):
    """The revision on its way: where it stands, and since when."""

    revision: str
    short: str
    policy: str
    version: str
    stage: Literal["Evaluation", "Feasibility", "Rollout", "Holdback", "Withdrawn"]
    weight: int = Field(default=0, description="Percent of traffic that it is meant to have.")
    step: int = Field(default=0, description="Which step of the ladder, from 1; 0 before traffic.")
    attempt: int = Field(default=1, description="Which run of the stage's Job this is.")
    retry: int = Field(default=0, description="How often people asked for it to run again.")
    load: str = Field(
        default="", description="Requests per second of all traffic when it first had a share."
    )
    replicas: int = Field(
        default=0, description="Pods that its load test found needed; 0: scale.replicas.min."
    )
    capacity: str = Field(
        default="", description="Requests per second that one pod was measured to hold."
    )
    approved: int = Field(default=0, description="Up to which weight a person has said yes.")
    failures: int = Field(default=0, description="Runs in a row that brought no verdict.")
    held: bool = Field(
        default=False, description="The last run brought no verdict, and none follows by itself."
    )
    since: str = Field(description="When this stage or step began.")
    rollout_since: str = Field(default="", description="When it first had traffic.")
    floor: int = Field(
        default=0,
        description="Pods of the stable revision when this one first had traffic: it keeps as "
        "many, to take all traffic back.",
    )
    bypassed: tuple[Stage, ...] = Field(
        default=(), description="Stages that were skipped by spec.bypass."
    )
    superseded: bool = Field(
        default=False, description="Newer content is declared; it only leaves."
    )

    @property
    def run(self) -> int:
        """Which run of the stage's Job this is, over all retries: names its Job and its record."""
        return self.retry * 100_000 + self.attempt


class FlowStage(Told):
    """One stage of the decision flow, with its verdict and numbers."""

    stage: Literal["Declared", "Evaluation", "Feasibility", "Rollout", "Live"]
    verdict: Literal["Good", "Bad", "Undecided", "NoData", "Pending"]
    reason: str = ""
    at: str = ""
    record: str = Field(default="", description="Name of the ConfigMap that keeps the record.")
    message: str = ""


class Signal(Told):
    """A watched signal: what was measured, against which bar, on how many requests."""

    name: str
    value: str = ""
    bar: str = ""
    n: int = 0
    verdict: Literal["Good", "Bad", "Undecided", "NoData"] = "NoData"
    at: str = Field(default="", description="When this was measured; small moves are not told.")
    query: str = Field(
        default="", description="Of a query of your own: 8 characters that tell it from another."
    )


class NextStep(Told):
    """What happens next, and when at the latest it is looked at again."""

    at: str = ""
    what: str = ""


class DecisionLine(Told):
    """One decision that was taken, and why."""

    at: str
    what: str
    why: str = ""


class Rejection(Told):
    """A ledger entry: content that was rejected, at which stage, by which policy of that stage."""

    revision: str
    stage: Stage
    policy: str
    reason: str
    at: str
    evidence: str = ""
    version: str = ""
    retry: int = Field(default=0, description="How often it had been asked to run again before.")


class Promotion(Told):
    """A revision that was promoted once, so a rollback may return to it. Newest first in status."""

    revision: str
    short: str
    policy: str
    version: str
    at: str
    replicas: int = 0
    bypassed: tuple[Stage, ...] = Field(
        default=(), description="Stages that were skipped, so that they do not count as passed."
    )


class BypassSeen(Told):
    """spec.bypass as it was first seen, and what became of it."""

    stages: tuple[Stage, ...]
    reason: str
    expires: str
    since: str = Field(description="When it was first seen: 24h from then are the most.")
    state: Literal["InForce", "Refused", "Over"]


class Passed(Told):
    """A gate that content has passed: it is not run again while its own bars stand."""

    revision: str
    stage: Stage
    policy: str
    record: str
    at: str


class Leaving(Told):
    """An arm that lost its traffic and keeps its pods until nothing can be on its way to it."""

    short: str
    since: str
    until: str = Field(description="When its pods go at the latest, or are not kept warm any more.")
    kept: bool = Field(default=False, description="Kept ready until then, to go back to.")


class Status(Told):
    """The whole status."""

    observed_generation: int = -1
    phase: str = ""
    trust: str = ""
    summary: str = ""
    conditions: tuple[Condition, ...] = ()
    stable: Revision | None = None
    candidate: Candidate | None = None
    route: str = Field(default="", description="The kind of route by which it serves; it stays.")
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
        default=0, description="The highest attempt of earlier candidates: no run is ever repeated."
    )
    last_handled: dict[str, str] = Field(
        default_factory=dict, description="Of every token (merit.dev/VERB) the value handled last."
    )
    handled: tuple[str, ...] = Field(
        default=(), description="Hashes of the tokens handled before: none works twice."
    )
    effective: dict[str, Any] = Field(default_factory=dict)
    analysis: dict[str, Any] | None = None
    applied: dict[str, str] = Field(
        default_factory=dict,
        description="A digest of each child as it stood after it was applied last: any other is "
        "an edit by somebody else.",
    )
    watch: dict[str, Any] | None = None
    alarm: Alarm | None = None
    verifying: Verifying | None = None
    cooldown_until: str = ""
    retrain: Retraining | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON for the API server: camelCase, empty parts left out."""
        return self.model_dump(by_alias=True, exclude_defaults=True) | {
            "observedGeneration": self.observed_generation
        }

    def condition(self, type_: str) -> Condition | None:
        """The condition of that type, or None."""
        return next((c for c in self.conditions if c.type == type_), None)
