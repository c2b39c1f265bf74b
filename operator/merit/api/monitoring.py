"""`spec.monitoring` and `spec.goal.kpi`: what tells whether a model is still earning trust."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from merit.api.base import Model
from merit.api.fields import Label, Number
from merit.api.promql import Query

MetricName = Annotated[
    str, StringConstraints(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$", max_length=128)
]
LabelName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$", max_length=64)]


class Kpi(Model):
    """A number that says whether the goal is met. At least one of min and max."""

    query: Query = Field(
        description="PromQL that returns one series; needs a metrics source that is opened to "
        "queries from this namespace. Required."
    )
    min: Number | None = Field(default=None, description='At least this, a string, as "40".')
    max: Number | None = Field(
        default=None, description='At most this, a string; "0": one event is too many.'
    )


class CustomSignal(Model):
    """A number to be watched, by a threshold: no error rate can be stated for it."""

    name: Label = Field(
        description="A short name, as nulls; failure modes say signals/<name>. Required."
    )
    query: Query = Field(
        description="PromQL that returns one series; needs a metrics source that is opened to "
        "queries from this namespace. Required."
    )
    min: Number | None = Field(default=None, description='At least this, a string, as "0.5".')
    max: Number | None = Field(
        default=None, description='At most this, a string; "0": one event is too many.'
    )


class Classes(Model):
    """A counter of predictions by class."""

    counter: MetricName = Field(description="As model_prediction_class_total. Required.")
    label: LabelName = Field(description="The label that names the class. Required.")


class Drift(Model):
    """A distribution that the server exports, compared with what it was. One of two sources."""

    name: Label = Field(
        description="A short name, as score; failure modes say drift/<name>. Required."
    )
    of: Literal["Predictions", "Features"] = Field(
        description="What the model says, or what it is asked. Required."
    )
    histogram: MetricName | None = Field(
        default=None,
        description="A histogram of the server, without _bucket, as model_prediction_score.",
    )
    classes: Classes | None = Field(default=None, description="Or a counter by class.")
    sensitivity: Literal["High", "Medium", "Low"] | None = Field(
        default=None,
        description="A shift of about 0.23, 0.32 or 0.45 standard deviations. Default: Medium.",
    )


class Monitoring(Model):
    """What tells whether it is still earning trust."""

    source: Label | None = Field(
        default=None,
        description="An entry of the operator's configuration. Default: the operator's own "
        "default.",
    )
    drift: tuple[Drift, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=4,
        description="Distributions to compare; needs a source that reads the servers' own "
        "series. Default: none.",
    )
    signals: tuple[CustomSignal, ...] | None = Field(
        default=None, min_length=1, max_length=8, description="Thresholds. Default: none."
    )
