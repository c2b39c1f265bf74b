"""`spec.constraints`: what serving must keep to, before, during and after a rollout alike."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from merit.api.base import Model
from merit.api.fields import Money, PositiveDuration, Replica, Share


class Latency(Model):
    """Time from request to answer, as the gateway sees it. At least one percentile."""

    p50: PositiveDuration | None = Field(
        default=None, description="Half of the requests are answered within this duration."
    )
    p90: PositiveDuration | None = Field(
        default=None, description="90 of 100 requests are answered within this duration."
    )
    p95: PositiveDuration | None = Field(
        default=None, description="95 of 100 requests are answered within this duration."
    )
    p99: PositiveDuration | None = Field(
        default=None,
        description="99 of 100 requests are answered within this duration, as 100ms. Best on an "
        "edge of the gateway's histogram.",
    )


class Errors(Model):
    """Requests that fail."""

    max: Share = Field(description="The share of requests that may fail, as 1%. Required.")


class Cost(Model):
    """What serving may cost. At least one of perHour and per1kPredictions."""

    per_hour: Money | None = Field(
        default=None, description='Money per hour for all replicas, a string, as "6.00".'
    )
    per1k_predictions: Money | None = Field(
        default=None,
        alias="per1kPredictions",
        description='Money per 1,000 predictions at scale.rps, a string, as "0.02".',
    )
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$", max_length=3)] = Field(
        description="Three letters, as USD; that of the operator's price book. Required."
    )


class Replicas(Model):
    """How many pods serve."""

    min: Replica = Field(description="Pods at least, from 1. Required.")
    max: Replica = Field(description="Pods at most, not below min. Required.")


class Scale(Model):
    """The load to be served, and with how many pods."""

    rps: Annotated[float, Field(ge=1, le=1_000_000, strict=True)] | None = Field(
        default=None,
        description="Requests per second to be served.",
        json_schema_extra={"type": "integer", "minimum": 1, "maximum": 1_000_000},
    )
    replicas: Replicas | None = Field(default=None, description="Default: one pod.")


class Constraints(Model):
    """What serving must keep to, in feasibility, canary and live alike. At least one."""

    latency: Latency | None = Field(default=None, description="Bounds on the time to an answer.")
    errors: Errors | None = Field(default=None, description="Bound on failing requests.")
    cost: Cost | None = Field(default=None, description="Bounds on the cost of serving.")
    scale: Scale | None = Field(default=None, description="Load and pods. Default: one pod.")
