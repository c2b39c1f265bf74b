"""Bars that a number can meet, and a Job that can be run."""

from __future__ import annotations

from merit.api.evaluation import EvaluationBar, ReportFormat
from merit.api.names import REPORT_CONTAINER
from merit.api.quantity import Refused, shown
from merit.api.rules.templates import check_job
from merit.api.spec import Spec

MOST_CONTAINERS = 3


def check_evaluation(spec: Spec) -> None:
    """Bars and Job of gate 1. Raises Refused."""
    _bars(spec)
    check_job(spec.evaluation.job, "evaluation.job")
    if spec.evaluation.report is not None:
        _report(spec.evaluation.report)
    _containers(spec)


def _report(it: ReportFormat) -> None:
    field = "evaluation.report"
    if it.path is not None and (it.format == "ExitCode" or ".." in it.path):
        raise Refused(
            f'"{shown(it.path)}" is no file that could be read',
            "name a file below $MERIT_REPORT_DIR, without ..; an exit code has none",
            f"{field}.path",
        )
    if it.metrics and it.format in ("Native", "ExitCode"):
        raise Refused(
            f"point into a framework's file, and {it.format} has none",
            "take them out, or set format to the framework",
            f"{field}.metrics",
        )


def _containers(spec: Spec) -> None:
    """All of a tier-1 pod share 12 KiB of messages: with four none has room for a report."""
    field = "evaluation.job.template"
    pod = spec.evaluation.job["template"]["spec"]
    first = pod.get("initContainers")
    every = [*(first if isinstance(first, list) else ()), *pod["containers"]]
    if any(c.get("name") == REPORT_CONTAINER for c in every):
        raise Refused(
            f'"{REPORT_CONTAINER}" is the operator\'s own container',
            "choose another name",
            f"{field}.spec.containers",
        )
    in_message = spec.evaluation.format == "Native" and not spec.evaluation.file
    if in_message and len(every) > MOST_CONTAINERS:
        raise Refused(
            f"are {len(every)} with the init containers, and share 12 KiB of termination messages "
            "equally, so that a report no longer has its 4,096 bytes",
            f"use at most {MOST_CONTAINERS}, or set evaluation.report.path and write a file",
            f"{field}.spec.containers",
        )


def _bars(spec: Spec) -> None:
    bars, exit_code = spec.evaluation.bars, spec.evaluation.format == "ExitCode"
    if exit_code and bars:
        raise Refused(
            "cannot be met: an exit code has no numbers",
            "take bars out, or use another report.format",
            "evaluation.bars",
        )
    if not exit_code and not bars:
        remedy = 'set at least one bar, as {metric: recall, min: "0.80"}'
        raise Refused("is empty, and without bars nothing passes", remedy, "evaluation.bars")
    for index, bar in enumerate(bars):
        _bar(bar, f"evaluation.bars[{index}]")
    if bars and all(bar.min is None and bar.max is None for bar in bars):
        raise Refused(
            "says nothing that applies at a first deployment",
            "set min or max on at least one bar",
            "evaluation.bars",
        )


def _bar(bar: EvaluationBar, field: str) -> None:
    compares = bar.no_worse_than_stable is not None
    if bar.min is None and bar.max is None and not compares and bar.max_spread is None:
        remedy = "set min, max, noWorseThanStable or maxSpread"
        raise Refused(f"says nothing about {bar.metric}", remedy, field)
    if bar.min is not None and bar.max is not None and bar.min > bar.max:
        raise Refused(f"{bar.min} is more than max", "set min to at most max", f"{field}.min")
    if bar.max_spread is not None and not bar.slices:
        remedy = 'name the slices, as slices: ["country=*"]'
        raise Refused("is between slices, and none are named", remedy, f"{field}.maxSpread")
    if compares and bar.better is None:
        raise Refused(
            f'"{bar.metric}" does not tell which way is better',
            "set direction: Higher or Lower",
            f"{field}.direction",
        )
