"""scikit-learn: `json.dump(classification_report(..., output_dict=True))`.

Read from scikit-learn 1.9. Averages become metrics (`accuracy`, `macro_f1`), classes become slices
`class=<label>` with their support as n; a recall is a share of it, and so has exact bounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.adapters.found import Found, is_number, read_json, share, unique, whole
from merit.policy.evaluation.strict import malformed

_AVERAGES = {"macro avg": "macro", "weighted avg": "weighted", "micro avg": "micro"}
_OF = {"precision": "precision", "recall": "recall", "f1-score": "f1"}


def parse(raw: bytes) -> Found:
    """Averages and classes. Raises Refusal."""
    tree = read_json(raw)
    classes = {k: v for k, v in tree.items() if k not in _AVERAGES and _is_row(v)}
    if not classes:
        raise malformed("the file is none of classification_report: no class has a support")
    metrics: dict[str, Any] = {}
    for name, prefix in _AVERAGES.items():
        row = tree.get(name)
        for key, short in _OF.items():
            if isinstance(row, dict) and is_number(row.get(key)):
                metrics[f"{prefix}_{short}"] = _with_n(row[key], row)
    if is_number(tree.get("accuracy")):
        rows = [whole(row["support"]) for row in classes.values()]
        total = sum(n for n in rows if n is not None) if None not in rows else None
        metrics["accuracy"] = share(tree["accuracy"], total)
    slices: dict[str, dict[str, Any]] = {}
    for label, row in classes.items():
        slices[unique(slices, f"class={label or 'none'}")] = {
            short: share(row[key], whole(row["support"])) if short == "recall" else told
            for key, short in _OF.items()
            if (told := _with_n(row[key], row)) is not None
        }
    return Found(tree=tree, metrics=metrics, slices=slices)


def _is_row(value: object) -> bool:
    return isinstance(value, dict) and all(key in value for key in (*_OF, "support"))


def _with_n(value: Any, row: Mapping[str, Any]) -> Any:
    if not is_number(value):
        return None
    n = whole(row.get("support"))
    return {"v": value, "n": n} if n else value
