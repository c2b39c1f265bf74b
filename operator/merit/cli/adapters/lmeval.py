"""lm-evaluation-harness: `results_<date>.json` of `--output_path`.

Tested with lm-eval 0.4.13. `results.sums."acc,none"` becomes `sums/acc`, with its standard error
and the number of documents; a filter other than `none` stays in the name, as
`gsm8k/exact_match,strict`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.cli.adapters.parsed import Parsed, as_count, is_number, read_json, section, unique


def parse(raw: bytes) -> Parsed:
    """Every metric of every task and group. Raises Refusal."""
    tree = read_json(raw)
    samples = tree.get("n-samples")
    metrics: dict[str, Any] = {}
    for task, results in section(tree, "results", "lm-evaluation-harness").items():
        if not isinstance(results, dict):
            continue
        n = _documents(samples, task)
        for key, value in results.items():
            metric, comma, filter_name = key.partition(",")
            if not comma or metric.endswith("_stderr") or not is_number(value):
                continue
            name = f"{task}/{metric}" if filter_name == "none" else f"{task}/{metric},{filter_name}"
            entry: dict[str, Any] = {"v": value}
            error = results.get(f"{metric}_stderr,{filter_name}")  # "N/A" where there is none
            if is_number(error):
                entry["se"] = error
            if n:
                entry["n"] = n
            metrics[unique(metrics, name)] = entry
    return Parsed(tree=tree, metrics=metrics)


def _documents(samples: object, task: str) -> int | None:
    of = samples.get(task) if isinstance(samples, Mapping) else None
    return as_count(of.get("effective")) if isinstance(of, Mapping) else None
