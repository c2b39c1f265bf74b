"""Bars and reports for tests of the evaluation gate."""

from __future__ import annotations

from typing import Any

from merit.api.evaluation import EvaluationBar
from merit.policy.gates.evaluation.bars import Serving, judge
from merit.policy.gates.evaluation.report import Report, parse_content

DATASET = {"name": "holdout", "digest": "sha256:c4"}


def bar(metric: str = "recall", **fields: Any) -> EvaluationBar:
    return EvaluationBar.model_validate({"metric": metric, **fields})


def report(metrics: dict[str, Any] | None = None, **parts: Any) -> Report:
    return parse_content({"metrics": metrics or {}, "dataset": DATASET, **parts})


def share(k: int, n: int) -> dict[str, int]:
    return {"k": k, "n": n}


def only_finding(
    judged_by: EvaluationBar, given: Report, serving: Serving | None = None
) -> tuple[str, str, str]:
    """Kind, reason and message of the one check that the bar makes."""
    (finding,) = judge(given, [judged_by], serving)
    return finding.kind, finding.reason, finding.message
