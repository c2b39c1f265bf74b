"""`spec`: what users declare. A field that is absent is None.

The descriptions are what `kubectl explain` shows. They name the defaults, which are applied by
`defaults.py`, so that the stored object stays as the user wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from merit.api.constraints import Constraints
from merit.api.evaluation import Evaluation
from merit.api.feasibility import Feasibility
from merit.api.fields import Duration, Free, Hash, Label, Model, Moment, Port, Text, TrainingJob
from merit.api.monitoring import Kpi, Monitoring
from merit.api.rollout import Rollout

MAX_BYPASS = 24 * 3600.0  # seconds from when a bypass is first seen until it expires, at most
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
        default=None, description="A metric that shows whether the objective is met. Default: none."
    )


class Owner(Model):
    """The team that answers for the model."""

    team: Text = Field(description="The team that answers for this model. Required.")
    contact: Text = Field(description="Where the team is reached: a channel, an address. Required.")
    runbook: Annotated[str, StringConstraints(pattern=r"^https?://\S+$", max_length=512)] | None = (
        Field(default=None, description="URL of the runbook (http or https). Shown, never fetched.")
    )


class FailureMode(Model):
    """One way in which the model can fail: the signal that shows it, and the response."""

    name: Label = Field(description="A short name, as slow-responses. Required.")
    signal: SignalName = Field(
        description="The signal that shows it; this object must declare it: errors, latency, "
        "latency/p99, cost, kpi, drift/<name>, signals/<name>. Required."
    )
    response: Literal["Rollback", "Alert", "Retrain", "Hold"] = Field(
        description="What Merit does then; Retrain needs spec.retrain. Required."
    )
    impact: Text | None = Field(
        default=None, description="Who is affected, and how. For people only."
    )


class ModelRef(Model):
    """The model. Together with `serving` it is the content of a revision."""

    name: Text = Field(description="Name of the model. Required.")
    version: Annotated[Text, StringConstraints(max_length=64)] = Field(
        description="Version of the model, for people and for the server. Required."
    )
    uri: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:[!-~]+$", max_length=1024)
    ] = Field(description="Where the model's files are, with a scheme, as oci://… . Required.")


class Serving(Model):
    """The model server."""

    port: Port = Field(description="The port that the server listens on. Required.")
    template: Free = Field(
        description="PodTemplateSpec of the server. The serving container (the only container, or "
        "the one that names the port) needs a readinessProbe. Required."
    )


class RollbackPolicy(Model):
    """When the operator rolls back, and what it keeps for that."""

    automatic: Annotated[bool, Field(strict=True)] = Field(
        description="true: the operator takes a bad revision out of traffic without asking a "
        "person. Required."
    )
    keep_revisions: Annotated[int, Field(ge=1, le=9, strict=True)] | None = Field(
        default=None,
        description="How many promoted revisions, besides the one that serves, and how many "
        "rejected ones keep their records; older records are deleted. Default: 3.",
    )
    keep_warm: Duration | None = Field(
        default=None,
        description="How long the previous revision's pods run after a promotion. Default: 24h.",
    )
    within: Duration | None = Field(
        default=None,
        description="For how long after its promotion a revision that turns bad is compared with "
        "its predecessor and rolled back; after that there is only an alert. Default: 168h.",
    )
    cooldown: Duration | None = Field(
        default=None,
        description="After a rollback of a live revision, or a comparison without a verdict, "
        "there is no automatic rollback for this long, only an alert. Default: 1h.",
    )


class Retrain(Model):
    """The training that response Retrain starts. Exactly one of cronJob and job."""

    cron_job: Label | None = Field(
        default=None,
        description="A CronJob of the same namespace; its jobTemplate is run, suspended or not.",
    )
    job: TrainingJob | None = Field(
        default=None,
        description="JobSpec of the training: template, activeDeadlineSeconds, backoffLimit. The "
        "Job itself publishes the new version and commits it to Git, with its own credentials.",
    )
    cooldown: Duration | None = Field(
        default=None,
        description="The least time from the start of one run to the start of the next, whatever "
        "the outcome. At most three runs start within seven days. Default: 24h.",
    )


class Bypass(Model):
    """Stages that are skipped until a time. Monitoring of live traffic is never skipped."""

    stages: Annotated[
        tuple[Literal["Evaluation", "Feasibility", "Rollout"], ...],
        Field(min_length=1, max_length=3),
    ] = Field(description="The stages that are skipped. Required, at least one.")
    reason: Text = Field(description="Why, for example an incident number and a name. Required.")
    expires: Moment = Field(
        description="When the bypass ends, in RFC 3339, as 2026-11-24T00:00:00Z. If that is more "
        "than 24h after the operator first sees it, nothing is skipped. Required."
    )


class Pin(Model):
    """Written by the operator at a rollback: what was rejected, and what serves instead."""

    from_revision: Hash = Field(description="The content that was rejected.")
    from_stage: Literal["Evaluation", "Feasibility", "Rollout"] = Field(
        description="The stage at which it was rejected."
    )
    from_policy: Hash = Field(
        description="Hash of the bars and settings that it was judged by at that stage."
    )
    to_revision: Hash = Field(
        description="The revision that serves instead; it was promoted before."
    )
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
    """What users declare."""

    goal: Goal = Field(description="Why this model exists. Required.")
    owner: Owner = Field(description="The team that answers for the model. Required.")
    constraints: Constraints = Field(
        description="Bounds on latency, errors and cost, and the expected load. Required."
    )
    failure_modes: tuple[FailureMode, ...] = Field(
        min_length=1,
        max_length=16,
        description="How the model can fail, and the responses. Required, at least one.",
    )
    model: ModelRef = Field(description="The model. Required.")
    serving: Serving = Field(description="The model server. Required.")
    evaluation: Evaluation = Field(description="Gate 1: is the model good enough? Required.")
    feasibility: Feasibility | None = Field(
        default=None,
        description="Gate 2: can it be served within the constraints? Default: cost and replicas.",
    )
    rollout: Rollout = Field(description="How a candidate gets traffic, step by step. Required.")
    monitoring: Monitoring | None = Field(
        default=None,
        description="What is monitored besides latency and errors, and by which metrics source. "
        "Default: nothing else, and the operator's default source.",
    )
    rollback_policy: RollbackPolicy = Field(description="When the operator rolls back. Required.")
    retrain: Retrain | None = Field(
        default=None, description="How a new version is trained. Default: Merit starts no training."
    )
    bypass: Bypass | None = Field(
        default=None,
        description="For emergencies: stages that are skipped for at most 24h, with an alert and "
        "a record. Default: none.",
    )
    paused: Annotated[bool, Field(strict=True)] = Field(
        default=False,
        description="true: no candidate moves forward; rollbacks still happen. Default: false.",
    )
    rollback: Pin | None = Field(
        default=None, description="Written by the operator. Never put it in a manifest."
    )


def serving_container(spec: Spec) -> Mapping[str, Any]:
    """The container that serves: the only one, or the one that names serving.port."""
    containers = spec.serving.template["spec"]["containers"]
    named = [
        c
        for c in containers
        if any(p.get("containerPort") == spec.serving.port for p in c.get("ports") or ())
    ]
    container: Mapping[str, Any] = (named or containers)[0]
    return container


def may_scale(spec: Spec) -> bool:
    """Whether an autoscaler can work: a range of replicas, and a CPU request to measure against."""
    scale = spec.constraints.scale
    replicas = scale.replicas if scale else None
    if replicas is None or replicas.min >= replicas.max:
        return False
    requests = (serving_container(spec).get("resources") or {}).get("requests") or {}
    return bool(requests.get("cpu"))
