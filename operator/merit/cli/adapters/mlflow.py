"""MLflow: `metrics.json` of `EvaluationResult.save()`, one flat object of numbers.

Tested with MLflow 3.17. Its confusion counts make accuracy, recall and precision shares with exact
bounds; `example_count` is the n of the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.cli.adapters.parsed import Parsed, as_count, is_number, read_json, share, unique, with_n

_COUNTS = frozenset(
    {"example_count", "true_negatives", "false_positives", "false_negatives", "true_positives"}
)


def parse(raw: bytes) -> Parsed:
    """Every number, under its own name. Raises Refusal."""
    tree = read_json(raw)
    rows = as_count(tree.get("example_count"))
    metrics: dict[str, Any] = {}
    for name, value in tree.items():
        if is_number(value):
            metrics[unique(metrics, name)] = _entry(tree, name, value, rows)
    return Parsed(tree=tree, metrics=metrics)


def _entry(tree: Mapping[str, Any], name: str, value: Any, rows: int | None) -> Any:
    positive = as_count(tree.get("true_positives"))
    other = {"recall_score": "false_negatives", "precision_score": "false_positives"}.get(name)
    if other is not None and positive is not None:
        counted = share(value, positive + (as_count(tree.get(other)) or 0))
        if isinstance(counted, dict) and "k" in counted:
            return counted  # binary case; an average over classes is not a share
    if name == "accuracy_score":
        return share(value, rows)
    return value if name in _COUNTS else with_n(value, rows)
