"""lm-evaluation-harness: `results_<date>.json` of `--output_path`.

Read from lm-eval 0.4.13. `results.sums."acc,none"` becomes `sums/acc`, with its standard error and
the number of documents; another filter than `none` stays in the name: `gsm8k/exact_match,strict`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from merit.adapters.found import Found, is_number, part, read_json, unique, whole


def parse(raw: bytes) -> Found:
    """Every metric of every task and group. Raises Refusal."""
    tree = read_json(raw)
    samples = tree.get("n-samples")
    metrics: dict[str, Any] = {}
    for task, results in part(tree, "results", "lm-evaluation-harness").items():
        if not isinstance(results, dict):
            continue
        n = _documents(samples, task)
        for key, value in results.items():
            metric, comma, how = key.partition(",")
            if not comma or metric.endswith("_stderr") or not is_number(value):
                continue
            name = f"{task}/{metric}" if how == "none" else f"{task}/{metric},{how}"
            told: dict[str, Any] = {"v": value}
            error = results.get(f"{metric}_stderr,{how}")  # "N/A" where there is none
            if is_number(error):
                told["se"] = error
            if n:
                told["n"] = n
            metrics[unique(metrics, name)] = told
    return Found(tree=tree, metrics=metrics)


def _documents(samples: object, task: str) -> int | None:
    of = samples.get(task) if isinstance(samples, Mapping) else None
    return whole(of.get("effective")) if isinstance(of, Mapping) else None
