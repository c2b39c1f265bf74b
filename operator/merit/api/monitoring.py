"""`spec.monitoring` and `spec.goal.kpi`: KPI, custom signals and drift."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from merit.api.fields import Label, Model, Number
from merit.api.promql import Query

MetricName = Annotated[
    str, StringConstraints(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$", max_length=128)
]
LabelName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$", max_length=64)]


class Kpi(Model):
    """A business metric that shows whether the goal is met. At least one of min and max."""

    query: Query = Field(
        description="PromQL that returns one series. The metrics source must allow queries from "
        "this namespace. Required."
    )
    min: Number | None = Field(default=None, description='At least this, a string, as "40".')
    max: Number | None = Field(
        default=None, description='At most this, a string; "0" tolerates no event.'
    )


class CustomSignal(Model):
    """A metric with a threshold. It has no counts, so no false-alarm rate can be stated."""

    name: Label = Field(
        description="A short name, as nulls; failure modes refer to signals/<name>. Required."
    )
    query: Query = Field(
        description="PromQL that returns one series. The metrics source must allow queries from "
        "this namespace. Required."
    )
    min: Number | None = Field(default=None, description='At least this, a string, as "0.5".')
    max: Number | None = Field(
        default=None, description='At most this, a string; "0" tolerates no event.'
    )


class Classes(Model):
    """A counter with one series for each class."""

    counter: MetricName = Field(description="Its name, as model_prediction_class_total. Required.")
    label: LabelName = Field(description="The label that names the class. Required.")


class Drift(Model):
    """A distribution that the server exports, compared with its baseline."""

    name: Label = Field(
        description="A short name, as score; failure modes refer to drift/<name>. Required."
    )
    of: Literal["Predictions", "Features"] = Field(
        description="Distribution of predictions or of inputs. Required."
    )
    histogram: MetricName | None = Field(
        default=None,
        description="A histogram of the server, without _bucket, as model_prediction_score.",
    )
    classes: Classes | None = Field(default=None, description="Or a counter by class.")
    sensitivity: Literal["High", "Medium", "Low"] | None = Field(
        default=None,
        description="Least shift: about 0.23, 0.32 or 0.45 standard deviations. Default: Medium.",
    )


class Monitoring(Model):
    """What is monitored besides latency and errors, and from which source."""

    source: Label | None = Field(
        default=None,
        description="Metrics source of the operator's configuration. Default: its default source.",
    )
    drift: tuple[Drift, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=4,
        description="Distributions to compare. The metrics source must read the servers' own "
        "series. Default: none.",
    )
    signals: tuple[CustomSignal, ...] | None = Field(
        default=None, min_length=1, max_length=8, description="Thresholds. Default: none."
    )
