"""Rules of gate 1: bars that a number can meet, and a Job that can be run."""

from __future__ import annotations

from merit.api.evaluation import EvaluationBar, ReportFormat
from merit.api.names import REPORT_CONTAINER
from merit.api.quantity import InvalidValue, shown
from merit.api.rules.templates import check_job
from merit.api.spec import Spec

MAX_CONTAINERS = 3


def check_evaluation(spec: Spec) -> None:
    """Check bars, Job and report of gate 1. Raises InvalidValue."""
    _bars(spec)
    check_job(spec.evaluation.job, "evaluation.job")
    if spec.evaluation.report is not None:
        _report(spec.evaluation.report)
    _containers(spec)


def _report(it: ReportFormat) -> None:
    field = "evaluation.report"
    if it.path is not None and (it.format == "ExitCode" or ".." in it.path):
        raise InvalidValue(
            f'"{shown(it.path)}" is not a file that can be read',
            "name a file below $MERIT_REPORT_DIR, without ..; ExitCode has none",
            f"{field}.path",
        )
    if it.metrics and it.format in ("Native", "ExitCode"):
        raise InvalidValue(
            f"point into a framework's file, and {it.format} has none",
            "remove them, or set format to the framework",
            f"{field}.metrics",
        )


def _containers(spec: Spec) -> None:
    """All containers of a pod share 12 KiB of termination messages; each gets an equal part."""
    field = "evaluation.job.template"
    pod = spec.evaluation.job["template"]["spec"]
    first = pod.get("initContainers")
    containers = [*(first if isinstance(first, list) else ()), *pod["containers"]]
    if any(c.get("name") == REPORT_CONTAINER for c in containers):
        raise InvalidValue(
            f'"{REPORT_CONTAINER}" is a name that the operator uses',
            "choose another name",
            f"{field}.spec.containers",
        )
    in_message = spec.evaluation.format == "Native" and not spec.evaluation.file
    if in_message and len(containers) > MAX_CONTAINERS:
        raise InvalidValue(
            f"are {len(containers)} with the init containers, and share 12 KiB of termination "
            "messages equally, so that a report has less than 4,096 bytes",
            f"use at most {MAX_CONTAINERS}, or set evaluation.report.path and write a file",
            f"{field}.spec.containers",
        )


def _bars(spec: Spec) -> None:
    bars, exit_code = spec.evaluation.bars, spec.evaluation.format == "ExitCode"
    if exit_code and bars:
        raise InvalidValue(
            "cannot be met: an exit code has no numbers",
            "remove bars, or use another report.format",
            "evaluation.bars",
        )
    if not exit_code and not bars:
        remedy = 'set at least one bar, as {metric: recall, min: "0.80"}'
        raise InvalidValue("is empty, and without bars nothing passes", remedy, "evaluation.bars")
    for index, bar in enumerate(bars):
        _bar(bar, f"evaluation.bars[{index}]")
    if bars and all(bar.min is None and bar.max is None for bar in bars):
        raise InvalidValue(
            "have no bound that applies at a first deployment",
            "set min or max on at least one bar",
            "evaluation.bars",
        )


def _bar(bar: EvaluationBar, field: str) -> None:
    compares = bar.no_worse_than_stable is not None
    if bar.min is None and bar.max is None and not compares and bar.max_spread is None:
        remedy = "set min, max, noWorseThanStable or maxSpread"
        raise InvalidValue(f"sets no bound on {bar.metric}", remedy, field)
    if bar.min is not None and bar.max is not None and bar.min > bar.max:
        raise InvalidValue(f"{bar.min} is more than max", "set min to at most max", f"{field}.min")
    if bar.max_spread is not None and not bar.slices:
        remedy = 'name the slices, as slices: ["country=*"]'
        raise InvalidValue("compares slices, and none are named", remedy, f"{field}.maxSpread")
    if compares and bar.better is None:
        raise InvalidValue(
            f'"{bar.metric}" does not say which way is better',
            "set direction: Higher or Lower",
            f"{field}.direction",
        )
