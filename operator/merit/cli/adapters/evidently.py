"""Evidently from 0.7 on: `save_json` of a report's result, a list of metrics and one of tests.

Tested with Evidently 0.7.23. Its metric `MissingValueCount(column=amount)` becomes
`MissingValueCount:column=amount`, and `MissingValueCount` too if there is only one.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from merit.cli.adapters.parsed import Parsed, is_number, read_json, unique
from merit.policy.gates.strict_json import malformed


def parse(raw: bytes) -> Parsed:
    """Every number. Tests are only counted: the operator has its own bars. Raises Refusal."""
    tree = read_json(raw)
    listed = tree.get("metrics")
    if not isinstance(listed, list):
        raise malformed('the file is not from Evidently 0.7: it has no list "metrics"')
    values = {m["metric_name"]: m.get("value") for m in listed if _is_metric(m)}
    kinds = Counter(name.partition("(")[0] for name in values)
    metrics: dict[str, Any] = {}
    for name, value in values.items():
        kind, _, of = name.partition("(")
        names = [f"{kind}:{of.removesuffix(')')}"] if of else [kind]
        names += [kind] if of and kinds[kind] == 1 else []
        for metric_name in names:
            for key, number in _numbers(metric_name, value).items():
                metrics[unique(metrics, key)] = number
    tests = tree.get("tests")
    if isinstance(tests, list):
        statuses = [t.get("status") for t in tests if isinstance(t, dict)]
        metrics["tests_failed"] = sum(s not in ("SUCCESS", "WARNING") for s in statuses)
        metrics["tests_passed"] = statuses.count("SUCCESS")
    return Parsed(tree=values, metrics=metrics)


def _is_metric(metric: object) -> bool:
    return isinstance(metric, dict) and isinstance(metric.get("metric_name"), str)


def _numbers(name: str, value: object) -> dict[str, Any]:
    """The number itself, or those one level below: `/count`, `/share`, a label."""
    if is_number(value):
        return {name: value}
    if isinstance(value, dict):
        return {f"{name}/{key}": v for key, v in value.items() if is_number(v)}
    return {}
