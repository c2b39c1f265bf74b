"""What a user may say: `spec`. A field exists only once it does something; absent is None.

Every description ends up in `kubectl explain`. Defaults are named there and live in `defaults.py`,
so that the stored object stays what the user wrote.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from merit.api.base import Model
from merit.api.bypass import Bypass
from merit.api.constraints import Constraints
from merit.api.evaluation import Evaluation
from merit.api.feasibility import Feasibility
from merit.api.fields import Duration, Free, Hash, Label, Port, Text
from merit.api.monitoring import Kpi, Monitoring
from merit.api.retrain import Retrain
from merit.api.rollout import Rollout

SignalName = Annotated[
    str,
    StringConstraints(
        pattern=r"^(errors|latency(/p(50|90|95|99))?|cost|kpi|(drift|signals)/[a-z0-9]([-a-z0-9]*"
        r"[a-z0-9])?)$",
        max_length=72,
    ),
]


class Goal(Model):
    """Why this model exists."""

    objective: Text = Field(description="What the model is for, in one sentence. Required.")
    kpi: Kpi | None = Field(
        default=None, description="A number that says whether it is met. Default: none."
    )


class Owner(Model):
    """Who fixes it."""

    team: Text = Field(description="The team that answers for this model. Required.")
    contact: Text = Field(description="Where the team is reached: a channel, an address. Required.")
    runbook: Annotated[str, StringConstraints(pattern=r"^https?://\S+$", max_length=512)] | None = (
        Field(default=None, description="An http(s) address. Only shown, never fetched.")
    )


class FailureMode(Model):
    """One way in which this model can fail, what tells, and what happens then."""

    name: Label = Field(description="A short name, as slow-responses. Required.")
    signal: SignalName = Field(
        description="What tells, and is declared in this object: errors, latency, latency/p99, "
        "cost, kpi, drift/<name>, signals/<name>. Required."
    )
    response: Literal["Rollback", "Alert", "Retrain", "Hold"] = Field(
        description="What is done about it; Retrain needs spec.retrain. Required."
    )
    impact: Text | None = Field(default=None, description="Who suffers, and how. For people.")


class ModelRef(Model):
    """The model. Together with serving it is the content of a revision."""

    name: Text = Field(description="Name of the model. Required.")
    version: Annotated[Text, StringConstraints(max_length=64)] = Field(
        description="Version of the model, for people and for the server. Required."
    )
    uri: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:[!-~]+$", max_length=1024)
    ] = Field(description="Where the model's files are, with a scheme, as oci://… . Required.")


class Serving(Model):
    """What runs."""

    port: Port = Field(description="The port that the server listens on. Required.")
    template: Free = Field(
        description="PodTemplateSpec of the server. Its serving container, the only one or the "
        "one that names the port, needs a readinessProbe. Required."
    )


class RollbackPolicy(Model):
    """When, and to what, the operator goes back."""

    automatic: Annotated[bool, Field(strict=True)] = Field(
        description="true: a bad revision is taken out of traffic without asking. Required."
    )
    keep_revisions: Annotated[int, Field(ge=1, le=9, strict=True)] | None = Field(
        default=None,
        description="How many promoted revisions besides the one that serves, and rejected ones, "
        "keep their records; older ones are removed. Default: 3.",
    )
    keep_warm: Duration | None = Field(
        default=None,
        description="How long the previous revision stays ready after a promotion. Default: 24h.",
    )
    within: Duration | None = Field(
        default=None,
        description="How long after its promotion a revision that turns bad is compared with its "
        "predecessor and rolled back; an older one is only alerted of. Default: 168h.",
    )
    cooldown: Duration | None = Field(
        default=None,
        description="After a rollback of a live revision, or a comparison that blamed nobody, the "
        "next automatic one waits this long, and alerts instead. Default: 1h.",
    )


class Pin(Model):
    """The operator's own field: what was rejected, and what serves instead. Never in a manifest."""

    from_revision: Hash = Field(description="The content that was rejected.")
    from_stage: Literal["Evaluation", "Feasibility", "Rollout"] = Field(
        description="The stage at which it was rejected."
    )
    from_policy: Hash = Field(description="What it was judged by at that stage.")
    to_revision: Hash = Field(description="What serves instead; it was promoted before.")
    reason: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]*$", max_length=64)] = (
        Field(description="Why, in one word.")
    )
    message: Annotated[str, StringConstraints(max_length=1024)] = Field(
        description="Why, with the numbers."
    )
    at: Annotated[str, StringConstraints(max_length=32)] = Field(
        description="When, in RFC 3339, UTC."
    )


class Spec(Model):
    """What is declared."""

    goal: Goal = Field(description="Why this model exists. Required.")
    owner: Owner = Field(description="Who fixes it. Required.")
    constraints: Constraints = Field(description="What serving must keep to. Required.")
    failure_modes: tuple[FailureMode, ...] = Field(
        min_length=1, max_length=16, description="How it can fail. Required, at least one."
    )
    model: ModelRef = Field(description="The model. Required.")
    serving: Serving = Field(description="What runs. Required.")
    evaluation: Evaluation = Field(description="Gate 1: is it good enough? Required.")
    feasibility: Feasibility | None = Field(
        default=None,
        description="Gate 2: can it be served within the constraints? Default: cost and replicas.",
    )
    rollout: Rollout = Field(description="How it earns traffic. Required.")
    monitoring: Monitoring | None = Field(
        default=None, description="Default: the operator's default source; latency and errors."
    )
    rollback_policy: RollbackPolicy = Field(description="When the operator goes back. Required.")
    retrain: Retrain | None = Field(
        default=None, description="How a new version is made. Default: not by Merit."
    )
    bypass: Bypass | None = Field(
        default=None,
        description="The emergency exit: stages that are skipped for at most 24h, aloud and on "
        "record. Default: none.",
    )
    paused: Annotated[bool, Field(strict=True)] = Field(
        default=False, description="true: no step forward is taken; safety acts. Default: false."
    )
    rollback: Pin | None = Field(
        default=None, description="Belongs to the operator. Never in a manifest."
    )
