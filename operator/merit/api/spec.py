"""What a user may say: `spec`. A field exists only once it does something; absent is None.

Every description ends up in `kubectl explain`. Defaults are named there and live in `defaults.py`,
so that the stored object stays what the user wrote.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from merit.api.base import Model
from merit.api.constraints import Constraints
from merit.api.fields import (
    HOST_PATTERN,
    Confidence,
    Duration,
    Free,
    Hash,
    Host,
    JobSpec,
    Label,
    Number,
    Port,
    PositiveDuration,
    Share,
    Step,
    Text,
)


class Goal(Model):
    """Why this model exists."""

    objective: Text = Field(description="What the model is for, in one sentence. Required.")


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
    signal: Literal[
        "errors", "latency", "latency/p50", "latency/p90", "latency/p95", "latency/p99", "cost"
    ] = Field(description="What tells: a signal that spec.constraints sets a bound for. Required.")
    response: Literal["Rollback", "Alert", "Hold"] = Field(
        description="What is done about it. Required."
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


class ReportFormat(Model):
    """How the evaluator tells its metrics."""

    format: Literal["Native"] = Field(
        description="Native: merit.dev/report/v1 in the termination message. Default: Native."
    )


class EvaluationBar(Model):
    """What a metric of the report must reach. At least one of min and max."""

    metric: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z0-9_.,:/=@-][A-Za-z0-9_.,:/=@ -]{0,95}$")
    ] = Field(max_length=96, description="Name of the metric in the evaluator's report. Required.")
    min: Number | None = Field(default=None, description='At least this, a string, as "0.80".')
    max: Number | None = Field(default=None, description='At most this, a string, as "0.05".')


class Evaluation(Model):
    """Gate 1: is it good enough?"""

    job: JobSpec = Field(
        description="JobSpec of the evaluator: template, activeDeadlineSeconds, backoffLimit. "
        "Required."
    )
    report: ReportFormat | None = Field(default=None, description="Default: format Native.")
    bars: tuple[EvaluationBar, ...] = Field(
        min_length=1, max_length=32, description="All must be met. Required, at least one."
    )


class ParentRef(Model):
    """A Gateway. Whether this namespace may use it is the Gateway's own decision."""

    name: Annotated[str, StringConstraints(pattern=HOST_PATTERN, max_length=253)] = Field(
        description="Name of the Gateway. Required."
    )
    namespace: Label | None = Field(default=None, description="Default: the object's namespace.")
    section_name: Host | None = Field(default=None, description="A listener. Default: all.")
    port: Port | None = Field(default=None, description="A listener's port. Default: all.")


class RouteRule(Model):
    """One rule of the HTTPRoute, in Gateway API's own words; Merit fills in its backendRefs."""

    matches: tuple[Free, ...] | None = Field(
        default=None, max_length=8, description="HTTPRouteMatch. Default: every request."
    )
    filters: tuple[Free, ...] | None = Field(
        default=None,
        max_length=8,
        description="HTTPRouteFilter of type RequestHeaderModifier, ResponseHeaderModifier, "
        "URLRewrite or RequestRedirect. Default: none.",
    )
    timeouts: Free | None = Field(default=None, description="HTTPRouteTimeouts. Default: none.")


class GatewayRoute(Model):
    """An HTTPRoute of Gateway API whose weights Merit moves."""

    parent_refs: tuple[ParentRef, ...] = Field(
        min_length=1, max_length=8, description="The Gateways to attach to. Required."
    )
    hostnames: tuple[Host, ...] = Field(
        min_length=1, max_length=16, description="The hosts that are served. Required."
    )
    rules: tuple[RouteRule, ...] | None = Field(
        default=None, min_length=1, max_length=16, description="Default: every request."
    )


class Route(Model):
    """How requests reach the model."""

    gateway: GatewayRoute = Field(description="Through Gateway API. Required.")


class Holdback(Model):
    """Part of the traffic stays with the old revision a while longer, to compare with."""

    weight: Annotated[int, Field(ge=1, le=50, strict=True)] | None = Field(
        default=None, description="Percent that stays with the old revision. Default: 10."
    )
    duration: Duration | None = Field(default=None, description="For how long. Default: 15m.")


class Rollout(Model):
    """How it earns traffic."""

    route: Route = Field(description="How requests reach the model. Required.")
    steps: tuple[Step, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=16,
        description="Percent of traffic step by step, whole numbers that increase. "
        "Default: 1, 5, 10, 25, 50, entered where there is enough traffic to judge.",
    )
    confidence: Confidence | None = Field(
        default=None,
        description="1 minus the chance that a version no worse than stable is rolled back, over "
        "the whole rollout. Default: 99%.",
    )
    blast_radius: Share | None = Field(
        default=None,
        description="The share of requests that a bad version may hurt before more evidence is "
        "asked for. Default: 1%.",
    )
    min_duration: Duration | None = Field(
        default=None, description="The canary takes at least this long. Default: 5m."
    )
    max_duration: PositiveDuration | None = Field(
        default=None, description="After that onInconclusive decides. Default: 60m."
    )
    on_inconclusive: Literal["Hold", "Withdraw", "Promote", "Rollback"] | None = Field(
        default=None,
        description="What happens when maxDuration brings no proof. Withdraw: weight 0, not "
        "rejected. Default: Hold.",
    )
    holdback: Holdback | None = Field(default=None, description="Default: 10 percent for 15m.")


class Monitoring(Model):
    """What tells whether it is still earning trust."""

    source: Label = Field(
        description="An entry of the operator's configuration. Default: the operator's own default."
    )


class RollbackPolicy(Model):
    """When, and to what, the operator goes back."""

    automatic: Annotated[bool, Field(strict=True)] = Field(
        description="true: a bad revision is taken out of traffic without asking. Required."
    )
    keep_warm: Duration | None = Field(
        default=None,
        description="How long the previous revision stays ready after a promotion. Default: 24h.",
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
    rollout: Rollout = Field(description="How it earns traffic. Required.")
    monitoring: Monitoring | None = Field(
        default=None, description="Default: the operator's default source; latency and errors."
    )
    rollback_policy: RollbackPolicy = Field(description="When the operator goes back. Required.")
    paused: Annotated[bool, Field(strict=True)] = Field(
        default=False, description="true: no step forward is taken; safety acts. Default: false."
    )
    rollback: Pin | None = Field(
        default=None, description="Belongs to the operator. Never in a manifest."
    )
