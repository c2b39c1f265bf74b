"""`spec.constraints`: the bounds that hold before, during and after a rollout."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from merit.api.fields import Model, Money, PositiveDuration, Replica, Share


class Latency(Model):
    """Bounds on the time from request to answer, at the gateway. At least one percentile."""

    p50: PositiveDuration | None = Field(
        default=None, description="50% of the requests are answered within this duration."
    )
    p90: PositiveDuration | None = Field(
        default=None, description="90% of the requests are answered within this duration."
    )
    p95: PositiveDuration | None = Field(
        default=None, description="95% of the requests are answered within this duration."
    )
    p99: PositiveDuration | None = Field(
        default=None,
        description="99% of the requests are answered within this duration, as 100ms. Use a "
        "bucket edge of the gateway's latency histogram.",
    )


class Errors(Model):
    """Bound on failing requests."""

    max: Share = Field(description="The share of requests that may fail, as 1%. Required.")


class Cost(Model):
    """Bounds on the cost of serving. At least one of perHour and per1kPredictions."""

    per_hour: Money | None = Field(
        default=None, description='Cost per hour of all replicas, a string, as "6.00".'
    )
    per1k_predictions: Money | None = Field(
        default=None,
        alias="per1kPredictions",
        description='Cost per 1,000 predictions at scale.rps, a string, as "0.02".',
    )
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$", max_length=3)] = Field(
        description="Three letters, as USD; the currency of the operator's price book. Required."
    )


class Replicas(Model):
    """The range of pods that serve."""

    min: Replica = Field(description="Least number of pods, from 1. Required.")
    max: Replica = Field(description="Largest number of pods, not below min. Required.")


class Scale(Model):
    """The expected load, and the pods that serve it."""

    rps: Annotated[float, Field(ge=1, le=1_000_000, strict=True)] | None = Field(
        default=None,
        description="Requests per second to be served. Default: none; the load test and "
        "cost.per1kPredictions need it.",
        json_schema_extra={"type": "integer", "minimum": 1, "maximum": 1_000_000},
    )
    replicas: Replicas | None = Field(default=None, description="Default: one pod.")


class Constraints(Model):
    """Bounds that hold in the load test, in the canary and live. At least one."""

    latency: Latency | None = Field(default=None, description="Bounds on the time to an answer.")
    errors: Errors | None = Field(default=None, description="Bound on failing requests.")
    cost: Cost | None = Field(default=None, description="Bounds on the cost of serving.")
    scale: Scale | None = Field(
        default=None, description="Expected load, and pods. Default: one pod."
    )
