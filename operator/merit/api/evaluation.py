"""`spec.evaluation`: gate 1, what the evaluator runs and which bars its numbers must meet."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from merit.api.base import Model
from merit.api.directions import Direction, direction_of
from merit.api.fields import JobSpec, Margin, Number

METRIC_PATTERN = r"^[A-Za-z0-9_.,:/=@-][A-Za-z0-9_.,:/=@ -]{0,95}$"
GLOB_PATTERN = r"^[A-Za-z0-9_.,:/=@*?-][A-Za-z0-9_.,:/=@*? -]{0,95}$"
POINTER_PATTERN = r"^(/[^\x00-\x1f\x7f]*)+$"
PATH_PATTERN = r"^[A-Za-z0-9_*][A-Za-z0-9_.,:=@*/ -]*$"
_FILES = {"MLflow": "metrics.json", "LmEval": "*results_*.json"}

MetricName = Annotated[str, StringConstraints(pattern=METRIC_PATTERN, max_length=96)]
SliceGlob = Annotated[str, StringConstraints(pattern=GLOB_PATTERN, max_length=96)]


class Pointed(Model):
    """A metric that is somewhere in a framework's file."""

    name: MetricName = Field(description="What bars call it. Required.")
    from_: Annotated[str, StringConstraints(pattern=POINTER_PATTERN, max_length=512)] = Field(
        alias="from",
        description='JSON Pointer (RFC 6901) to its value, as "/results/sums/acc,none". Required.',
    )


class ReportFormat(Model):
    """How the evaluator tells its metrics."""

    format: Literal["Native", "MLflow", "Evidently", "LmEval", "Sklearn", "ExitCode"] = Field(
        description="Native: merit.dev/report/v1 in the termination message, or in a file if path "
        "is set. MLflow, Evidently, LmEval, Sklearn: the framework's own JSON in a file below "
        "$MERIT_REPORT_DIR, read by a container of Merit's after yours. ExitCode: no report; 0 is "
        "passed, and bars must be absent. Required."
    )
    path: Annotated[str, StringConstraints(pattern=PATH_PATTERN, max_length=256)] | None = Field(
        default=None,
        description="The file below $MERIT_REPORT_DIR; * matches anything, and one file only may "
        "match. Default: metrics.json with MLflow, *results_*.json with LmEval, else report.json.",
    )
    metrics: tuple[Pointed, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="Values from elsewhere in the file, by name. Default: what the format knows.",
    )

    @property
    def file(self) -> str:
        """The file in force, below $MERIT_REPORT_DIR; empty if the report is no file."""
        if self.format == "ExitCode" or (self.format == "Native" and self.path is None):
            return ""
        return self.path or _FILES.get(self.format, "report.json")


class EvaluationBar(Model):
    """What a metric of the report must reach. At least one bound."""

    metric: MetricName = Field(
        description="Name of the metric in the evaluator's report. Required."
    )
    min: Number | None = Field(default=None, description='At least this, a string, as "0.80".')
    max: Number | None = Field(default=None, description='At most this, a string, as "0.05".')
    no_worse_than_stable: Margin | None = Field(
        default=None,
        description='Worse than the serving revision by at most this, as "0.002". At a first '
        "deployment it does not apply.",
    )
    max_spread: Margin | None = Field(
        default=None,
        description='Largest less smallest value among the slices at most this, as "0.01". '
        "Needs slices.",
    )
    slices: tuple[SliceGlob, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=16,
        description='Slices of the report that this bar is about, as "country=*"; * and ? match. '
        "Every one must meet it. Default: the metric as a whole.",
    )
    min_samples: Annotated[int, Field(ge=1, le=1_000_000_000, strict=True)] | None = Field(
        default=None,
        description="With fewer samples (n in the report) there is no verdict. Default: none.",
    )
    direction: Direction | None = Field(
        default=None,
        description="Whether higher or lower is better. Default: Higher with min, Lower with max, "
        "else by the metric's name where that tells it (auc, loss).",
    )
    proof: Literal["PointEstimate", "Bound"] | None = Field(
        default=None,
        description="PointEstimate: the value meets the bar. Bound: its 95% bound does, from k of "
        "n or se in the report. Default: PointEstimate.",
    )

    @property
    def better(self) -> Direction | None:
        """Which way is better: as written, else by the side of the bar, else by the name."""
        if self.direction is not None:
            return self.direction
        if (self.min is None) != (self.max is None):
            return "Lower" if self.min is None else "Higher"
        return direction_of(self.metric)


class Evaluation(Model):
    """Gate 1: is it good enough?"""

    job: JobSpec = Field(
        description="JobSpec of the evaluator: template, activeDeadlineSeconds, backoffLimit. "
        "Required."
    )
    report: ReportFormat | None = Field(default=None, description="Default: format Native.")
    bars: tuple[EvaluationBar, ...] = Field(
        default=(),
        max_length=32,
        description="All must be met, and one must have min or max. Required, save with "
        "report.format ExitCode.",
    )

    @property
    def format(self) -> str:
        """The format in force."""
        return self.report.format if self.report else "Native"

    @property
    def file(self) -> str:
        """The file that a container of Merit's reads, below $MERIT_REPORT_DIR; empty for none."""
        return self.report.file if self.report else ""
