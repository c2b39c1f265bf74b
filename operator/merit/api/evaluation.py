"""`spec.evaluation`: gate 1, the evaluator's Job and the bars that its metrics must meet."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from merit.api.fields import JobSpec, Margin, Model, Number

Direction = Literal["Higher", "Lower"]

_WORD = r"(?i)(^|[^a-z0-9])({})([^a-z0-9]|$)"
# The CRD's rules use the same patterns; Go and Python read them alike.
LOWER = _WORD.format(
    "loss|error|errors|rmse|mae|mse|mape|smape|rmsle|ece|fpr|fnr|latency|perplexity|ppl|brier|wer|cer"
)
HIGHER = _WORD.format(
    "accuracy|acc|auc|auroc|auprc|precision|recall|sensitivity|specificity|tpr|tnr|f1|r2|kappa|mcc"
    "|ndcg|mrr|bleu|iou|dice"
)
METRIC_PATTERN = r"^[A-Za-z0-9_.,:/=@-][A-Za-z0-9_.,:/=@ -]{0,95}$"
GLOB_PATTERN = r"^[A-Za-z0-9_.,:/=@*?-][A-Za-z0-9_.,:/=@*? -]{0,95}$"
POINTER_PATTERN = r"^(/[^\x00-\x1f\x7f]*)+$"
PATH_PATTERN = r"^[A-Za-z0-9_*][A-Za-z0-9_.,:=@*/ -]*$"
_FILES = {"MLflow": "metrics.json", "LmEval": "*results_*.json"}

MetricName = Annotated[str, StringConstraints(pattern=METRIC_PATTERN, max_length=96)]
SliceGlob = Annotated[str, StringConstraints(pattern=GLOB_PATTERN, max_length=96)]


class Pointed(Model):
    """A metric at some place of a framework's file."""

    name: MetricName = Field(description="The name that bars use. Required.")
    from_: Annotated[str, StringConstraints(pattern=POINTER_PATTERN, max_length=512)] = Field(
        alias="from",
        description='JSON Pointer (RFC 6901) to its value, as "/results/sums/acc,none". Required.',
    )


class ReportFormat(Model):
    """How the evaluator reports its metrics."""

    format: Literal["Native", "MLflow", "Evidently", "LmEval", "Sklearn", "ExitCode"] = Field(
        description="Native: merit.dev/report/v1 in the termination message, or in a file if path "
        "is set. MLflow, Evidently, LmEval, Sklearn: the framework's own JSON file below "
        "$MERIT_REPORT_DIR, read by a container of Merit that runs after yours. ExitCode: no "
        "report; exit code 0 passes, and bars must be absent. Required."
    )
    path: Annotated[str, StringConstraints(pattern=PATH_PATTERN, max_length=256)] | None = Field(
        default=None,
        description="The file below $MERIT_REPORT_DIR; * matches anything, and exactly one file "
        "must match. Default: metrics.json with MLflow, *results_*.json with LmEval, else "
        "report.json.",
    )
    metrics: tuple[Pointed, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="More values of the file, by name. Default: only what the format defines.",
    )

    @property
    def file(self) -> str:
        """The file to read below $MERIT_REPORT_DIR; empty if the report is not a file."""
        if self.format == "ExitCode" or (self.format == "Native" and self.path is None):
            return ""
        return self.path or _FILES.get(self.format, "report.json")


class EvaluationBar(Model):
    """A bar that a metric of the report must meet. At least one bound."""

    metric: MetricName = Field(
        description="Name of the metric in the evaluator's report. Required."
    )
    min: Number | None = Field(default=None, description='At least this, a string, as "0.80".')
    max: Number | None = Field(default=None, description='At most this, a string, as "0.05".')
    no_worse_than_stable: Margin | None = Field(
        default=None,
        description='At most this much worse than the stable revision, as "0.002". Not applied at '
        "a first deployment.",
    )
    max_spread: Margin | None = Field(
        default=None,
        description='Largest value minus smallest value of the slices is at most this, as "0.01". '
        "Needs slices.",
    )
    slices: tuple[SliceGlob, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=16,
        description='Slices of the report that this bar applies to, as "country=*"; * and ? are '
        "wildcards. Every slice must meet it. Default: the metric over all data.",
    )
    min_samples: Annotated[int, Field(ge=1, le=1_000_000_000, strict=True)] | None = Field(
        default=None,
        description="With fewer samples (n in the report) there is no verdict. Default: no "
        "minimum.",
    )
    direction: Direction | None = Field(
        default=None,
        description="Whether higher or lower is better. Default: Higher with min, Lower with max, "
        "else what the metric's name says (auc, loss).",
    )
    proof: Literal["PointEstimate", "Bound"] | None = Field(
        default=None,
        description="PointEstimate: the value must meet the bar. Bound: its 95% confidence bound "
        "must, computed from k of n or se in the report. Default: PointEstimate.",
    )

    @property
    def better(self) -> Direction | None:
        """The direction: as declared, else from the side of the bar, else from the name."""
        if self.direction is not None:
            return self.direction
        if (self.min is None) != (self.max is None):
            return "Lower" if self.min is None else "Higher"
        return direction_of(self.metric)


class Evaluation(Model):
    """Gate 1: is the model good enough?"""

    job: JobSpec = Field(
        description="JobSpec of the evaluator: template, activeDeadlineSeconds, backoffLimit. "
        "Required."
    )
    report: ReportFormat | None = Field(
        default=None, description="How it is read. Default: format Native."
    )
    bars: tuple[EvaluationBar, ...] = Field(
        default=(),
        max_length=32,
        description="All must be met, and one must have min or max. Required, except with "
        "report.format ExitCode.",
    )

    @property
    def format(self) -> str:
        """The format of the report, defaults included."""
        return self.report.format if self.report else "Native"

    @property
    def file(self) -> str:
        """The file below $MERIT_REPORT_DIR that Merit's container reads; empty for none."""
        return self.report.file if self.report else ""


def direction_of(metric: str) -> Direction | None:
    """`Lower` for `log_loss`, `Higher` for `roc_auc`; None if the name says neither or both."""
    lower, higher = re.search(LOWER, metric), re.search(HIGHER, metric)
    if bool(lower) == bool(higher):
        return None
    return "Lower" if lower else "Higher"
