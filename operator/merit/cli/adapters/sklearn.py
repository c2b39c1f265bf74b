"""scikit-learn: `json.dump(classification_report(..., output_dict=True))`.

Tested with scikit-learn 1.9. Averages become metrics (`accuracy`, `macro_f1`), classes become
slices `class=<label>` with their support as n. A recall is a share of it, with exact bounds.
"""

from __future__ import annotations

from typing import Any

from merit.cli.adapters.parsed import Parsed, as_count, is_number, read_json, share, unique, with_n
from merit.policy.gates.strict_json import malformed

_AVERAGES = {"macro avg": "macro", "weighted avg": "weighted", "micro avg": "micro"}
_OF = {"precision": "precision", "recall": "recall", "f1-score": "f1"}


def parse(raw: bytes) -> Parsed:
    """Averages and classes. Raises Refusal."""
    tree = read_json(raw)
    classes = {k: v for k, v in tree.items() if k not in _AVERAGES and _is_row(v)}
    if not classes:
        raise malformed("the file is not from classification_report: no class has a support")
    metrics: dict[str, Any] = {}
    for name, prefix in _AVERAGES.items():
        row = tree.get(name)
        for key, short in _OF.items():
            if isinstance(row, dict) and is_number(row.get(key)):
                metrics[f"{prefix}_{short}"] = with_n(row[key], as_count(row.get("support")))
    if is_number(tree.get("accuracy")):
        rows = [as_count(row["support"]) for row in classes.values()]
        total = sum(n for n in rows if n is not None) if None not in rows else None
        metrics["accuracy"] = share(tree["accuracy"], total)
    slices: dict[str, dict[str, Any]] = {}
    for label, row in classes.items():
        slices[unique(slices, f"class={label or 'none'}")] = {
            short: (share if short == "recall" else with_n)(row[key], as_count(row["support"]))
            for key, short in _OF.items()
            if is_number(row[key])
        }
    return Parsed(tree=tree, metrics=metrics, slices=slices)


def _is_row(value: object) -> bool:
    return isinstance(value, dict) and all(key in value for key in (*_OF, "support"))
