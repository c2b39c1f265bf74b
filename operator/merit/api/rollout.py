"""`spec.rollout`: how requests reach the model, and how it earns its share of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from merit.api.base import Model
from merit.api.fields import (
    HOST_PATTERN,
    Confidence,
    Duration,
    Free,
    Host,
    Label,
    Port,
    PositiveDuration,
    Share,
    Step,
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
        default=None, min_length=1, max_length=15, description="Default: every request."
    )


class ReplicasRoute(Model):
    """By pod count: one Service before the pods of both revisions. Weights are approximate."""


class Route(Model):
    """How requests reach the model. Exactly one of gateway and replicas."""

    gateway: GatewayRoute | None = Field(default=None, description="Through Gateway API.")
    replicas: ReplicasRoute | None = Field(
        default=None,
        description="Through the Service of the object's name: no gateway is needed, shares are "
        "made by pod count and are approximate. Needs a metrics source that counts per pod. The "
        "kind of route stays as it is once a revision serves.",
    )

    @property
    def kind(self) -> Literal["gateway", "replicas"]:
        """Which of the two it is."""
        return "gateway" if self.gateway is not None else "replicas"


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
    approvals: tuple[Step, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=16,
        description="Steps that a person says yes to before they are entered, by the annotation "
        "merit.dev/approve or kubectl merit approve. Each is one of the steps. Default: none.",
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
        "rejected. Rollback: only where rollbackPolicy.automatic is true. Default: Hold.",
    )
    holdback: Holdback | None = Field(default=None, description="Default: 10 percent for 15m.")
