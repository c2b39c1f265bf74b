"""Evidently from 0.7 on: `save_json` of a report's result, a list of metrics and one of tests.

Read from Evidently 0.7.23. A metric is called `MissingValueCount(column=amount)` there, and
`MissingValueCount:column=amount` here; just `MissingValueCount` if there is only one of it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from merit.adapters.found import Found, is_number, read_json, unique
from merit.policy.evaluation.strict import malformed


def parse(raw: bytes) -> Found:
    """Every number; what a test says is counted, not believed. Raises Refusal."""
    tree = read_json(raw)
    listed = tree.get("metrics")
    if not isinstance(listed, list):
        raise malformed('the file is none of Evidently 0.7: it has no list "metrics"')
    values = {m["metric_name"]: m.get("value") for m in listed if _is_metric(m)}
    kinds = Counter(name.partition("(")[0] for name in values)
    metrics: dict[str, Any] = {}
    for name, value in values.items():
        kind, _, of = name.partition("(")
        called = [f"{kind}:{of.removesuffix(')')}"] if of else [kind]
        called += [kind] if of and kinds[kind] == 1 else []
        for each in called:
            for key, number in _numbers(each, value).items():
                metrics[unique(metrics, key)] = number
    tests = tree.get("tests")
    if isinstance(tests, list):
        statuses = [t.get("status") for t in tests if isinstance(t, dict)]
        metrics["tests_failed"] = sum(s not in ("SUCCESS", "WARNING") for s in statuses)
        metrics["tests_passed"] = statuses.count("SUCCESS")
    return Found(tree=values, metrics=metrics)


def _is_metric(metric: object) -> bool:
    return isinstance(metric, dict) and isinstance(metric.get("metric_name"), str)


def _numbers(name: str, value: object) -> dict[str, Any]:
    """The number itself, or those one level below: `/count`, `/share`, a label."""
    if is_number(value):
        return {name: value}
    if isinstance(value, dict):
        return {f"{name}/{key}": v for key, v in value.items() if is_number(v)}
    return {}
