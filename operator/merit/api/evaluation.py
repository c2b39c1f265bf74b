"""`spec.evaluation`: gate 1, what the evaluator runs and which bars its numbers must meet."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from merit.api.base import Model
from merit.api.fields import JobSpec, Number


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
