"""Bars that a number can meet, and a Job that can be run."""

from __future__ import annotations

from merit.api.quantity import Refused, shown
from merit.api.rules.templates import containers
from merit.api.spec import Spec


def check_evaluation(spec: Spec) -> None:
    """Bars and Job of gate 1. Raises Refused."""
    for index, bar in enumerate(spec.evaluation.bars):
        field = f"evaluation.bars[{index}]"
        if bar.min is None and bar.max is None:
            raise Refused(f"says nothing about {bar.metric}", "set min or max", field)
        if bar.min is not None and bar.max is not None and bar.min > bar.max:
            raise Refused(f"{bar.min} is more than max", "set min to at most max", f"{field}.min")
    job = spec.evaluation.job
    for key in job:
        if key not in ("template", "activeDeadlineSeconds", "backoffLimit"):
            raise Refused(
                "cannot be set here",
                "known here: template, activeDeadlineSeconds, backoffLimit",
                f"evaluation.job.{shown(key)}",
            )
    for key, least in (("activeDeadlineSeconds", 1), ("backoffLimit", 0)):
        value = job.get(key, least)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            remedy = f"give a whole number from {least}"
            raise Refused(f"{shown(value)} is not accepted here", remedy, f"evaluation.job.{key}")
    containers(job.get("template"), "evaluation.job.template")
