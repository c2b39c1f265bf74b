"""MLflow: `metrics.json` of `EvaluationResult.save()`, one flat object of numbers.

Read from MLflow 3.17. Its confusion counts make accuracy, recall and precision shares with exact
bounds; `example_count` is the n of the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.adapters.found import Found, is_number, read_json, share, unique, whole

_COUNTS = frozenset(
    {"example_count", "true_negatives", "false_positives", "false_negatives", "true_positives"}
)


def parse(raw: bytes) -> Found:
    """Every number under its own name. Raises Refusal."""
    tree = read_json(raw)
    rows = whole(tree.get("example_count"))
    metrics: dict[str, Any] = {}
    for name, value in tree.items():
        if is_number(value):
            metrics[unique(metrics, name)] = _told(tree, name, value, rows)
    return Found(tree=tree, metrics=metrics)


def _told(tree: Mapping[str, Any], name: str, value: Any, rows: int | None) -> Any:
    positive = whole(tree.get("true_positives"))
    other = {"recall_score": "false_negatives", "precision_score": "false_positives"}.get(name)
    if other is not None and positive is not None:
        counted = share(value, positive + (whole(tree.get(other)) or 0))
        if isinstance(counted, dict) and "k" in counted:
            return counted  # of the binary case; an average over classes is no such share
    if name == "accuracy_score":
        return share(value, rows)
    return {"v": value, "n": rows} if rows and name not in _COUNTS else value
