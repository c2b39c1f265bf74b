"""`spec.rollout`: how requests reach the model, and how a candidate's share of them grows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from merit.api.fields import (
    Confidence,
    Duration,
    Free,
    Host,
    Label,
    Model,
    Port,
    PositiveDuration,
    Share,
    Step,
    Texts,
)


class ParentRef(Model):
    """A Gateway. The Gateway itself decides whether this namespace may use it."""

    name: Host = Field(description="Name of the Gateway. Required.")
    namespace: Label | None = Field(default=None, description="Default: the object's namespace.")
    section_name: Host | None = Field(default=None, description="A listener. Default: all.")
    port: Port | None = Field(default=None, description="A listener's port. Default: all.")


class RouteRule(Model):
    """One rule of the HTTPRoute, as in Gateway API; Merit fills in its backendRefs."""

    matches: tuple[Free, ...] | None = Field(
        default=None, max_length=8, description="HTTPRouteMatch entries. Default: every request."
    )
    filters: tuple[Free, ...] | None = Field(
        default=None,
        max_length=8,
        description="HTTPRouteFilter entries of type RequestHeaderModifier, "
        "ResponseHeaderModifier, URLRewrite, RequestRedirect, CORS, or ExtensionRef to a kind that "
        "the operator's configuration lists. Default: none.",
    )
    timeouts: Free | None = Field(default=None, description="HTTPRouteTimeouts. Default: none.")
    name: Host | None = Field(default=None, description="Name of the rule. Default: none.")
    retry: Free | None = Field(default=None, description="HTTPRouteRetry. Default: none.")
    session_persistence: Free | None = Field(
        default=None,
        description="SessionPersistence: a session stays with its revision, so shares are those of "
        "new sessions. Default: none.",
    )


class GatewayRoute(Model):
    """An HTTPRoute of Gateway API whose weights Merit sets."""

    parent_refs: tuple[ParentRef, ...] = Field(
        min_length=1, max_length=8, description="The Gateways to attach to. Required."
    )
    hostnames: tuple[Host, ...] = Field(
        min_length=1, max_length=16, description="Host names of the route. Required."
    )
    rules: tuple[RouteRule, ...] | None = Field(
        default=None, min_length=1, max_length=15, description="Rules. Default: every request."
    )


class ReplicasRoute(Model):
    """By pod count: one Service for the pods of both revisions. Weights are approximate."""


class RouteMetadata(Model):
    """For those who read the route and the Service `<name>`, as external-dns does."""

    labels: Texts | None = Field(default=None, description="Default: none.")
    annotations: Texts | None = Field(default=None, description="Default: none.")


class Route(Model):
    """How requests reach the model. Exactly one of gateway and replicas."""

    gateway: GatewayRoute | None = Field(default=None, description="Through Gateway API.")
    replicas: ReplicasRoute | None = Field(
        default=None,
        description="Through the Service of the object's name, without a gateway: the traffic "
        "share of a revision is its share of the pods, so it is approximate. Needs a metrics "
        "source that counts per pod. The kind of route cannot change once a revision serves.",
    )
    metadata: RouteMetadata | None = Field(
        default=None,
        description="Labels and annotations of the HTTPRoute and the Service of the object's name. "
        "Default: only those of Merit.",
    )

    @property
    def kind(self) -> Literal["gateway", "replicas"]:
        """The kind of route that is declared."""
        return "gateway" if self.gateway is not None else "replicas"


class Holdback(Model):
    """After the last step a part of the traffic stays with the old revision, to compare with."""

    weight: Annotated[int, Field(ge=1, le=50, strict=True)] | None = Field(
        default=None, description="Percent that stays with the old revision. Default: 10."
    )
    duration: Duration | None = Field(default=None, description="For how long. Default: 15m.")


class Rollout(Model):
    """How a candidate gets traffic, step by step."""

    route: Route = Field(description="How requests reach the model. Required.")
    steps: tuple[Step, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=16,
        description="Percent of traffic at each step, increasing whole numbers. Default: 1, 5, "
        "10, 25, 50; a step without enough traffic for a verdict is left out.",
    )
    approvals: tuple[Step, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=16,
        description="Steps that need a person's approval, by annotation merit.dev/approve or "
        "kubectl merit approve. Each must be one of the steps. Default: none.",
    )
    confidence: Confidence | None = Field(
        default=None,
        description="1 minus the probability, over the whole rollout, that a version that is no "
        "worse than stable is rolled back. Default: 99%.",
    )
    blast_radius: Share | None = Field(
        default=None,
        description="The share of all requests that a bad version may affect before more evidence "
        "is required. Default: 1%.",
    )
    min_duration: Duration | None = Field(
        default=None, description="Least duration of the canary. Default: 5m."
    )
    max_duration: PositiveDuration | None = Field(
        default=None, description="Longest duration; then onInconclusive decides. Default: 60m."
    )
    on_inconclusive: Literal["Hold", "Withdraw", "Promote", "Rollback"] | None = Field(
        default=None,
        description="What happens when there is no verdict after maxDuration. Withdraw: weight 0, "
        "but not rejected. Rollback: only if rollbackPolicy.automatic is true. Default: Hold.",
    )
    holdback: Holdback | None = Field(default=None, description="Default: 10 percent for 15m.")
