"""Turns a framework's file into a report that fits into a termination message."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from merit.cli.adapters import evidently, lmeval, mlflow, native, sklearn
from merit.cli.adapters.parsed import Parsed
from merit.policy.gates.evaluation.report import (
    ERROR_SCHEMA,
    MAX_METRICS,
    MAX_SLICES,
    SCHEMA,
    parse_content,
)
from merit.policy.gates.strict_json import LIMIT, PARSE_ERRORS, Refusal, malformed, plain

ADAPTERS: Mapping[str, Callable[[bytes], Parsed]] = {
    "Native": native.parse,
    "MLflow": mlflow.parse,
    "Evidently": evidently.parse,
    "LmEval": lmeval.parse,
    "Sklearn": sklearn.parse,
}


def summarise(
    raw: bytes,
    *,
    framework: str,
    pointers: Mapping[str, str],
    keep: Sequence[str],
    keep_slices: Sequence[str],
    revision: str,
    nonce: str,
) -> str:
    """The report, at most 4,096 bytes.

    `pointers`: JSON Pointers by the name of the metric. `keep`, `keep_slices` (globs): what bars
    need; if not everything fits, all else is left out. Raises Refusal or MemoryError.
    """
    head = {"schema": SCHEMA, "revision": revision, "nonce": nonce}
    try:
        everything = _with_pointers(ADAPTERS[framework](raw), pointers)
        for content in (everything, _kept(everything, keep, keep_slices)):
            text = _text(head, content)
            fits = len(content.metrics) <= MAX_METRICS and len(content.slices) <= MAX_SLICES
            if fits and len(text.encode()) <= LIMIT:
                parse_content(json.loads(text))  # the operator must be able to read it
                return text
    except (Refusal, MemoryError):
        raise
    except PARSE_ERRORS:
        raise malformed(f"the file is not from {framework}") from None
    raise Refusal(
        "ReportTooLarge",
        f"the metrics that bars name take {len(text.encode()):,} bytes, at most {LIMIT:,} fit: "
        "name fewer metrics or slices",
    )


def error_report(refused: Refusal, *, revision: str, nonce: str) -> str:
    """The message that replaces a report, with the reason why there is none."""
    cause = {"reason": refused.reason, "message": plain(str(refused), 500)}
    return _compact({"schema": ERROR_SCHEMA, "revision": revision, "nonce": nonce} | cause)


def resolve(tree: Any, pointer: str) -> Any:
    """The value at a JSON Pointer (RFC 6901). Raises Refusal, which names what exists there."""
    node, path = tree, ""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, Mapping) and key in node:
            node = node[key]
        elif isinstance(node, list) and key.isascii() and key.isdecimal() and int(key) < len(node):
            node = node[int(key)]
        else:
            existing = (
                ", ".join(list(map(str, node))[:8]) if isinstance(node, Mapping) else "no names"
            )
            raise Refusal(
                "MetricMissing",
                f'nothing is at "{plain(pointer, 120)}": '
                f'"{plain(path, 80)}" has {plain(existing, 200)}',
            )
        path += "/" + part
    return node


def _with_pointers(file: Parsed, pointers: Mapping[str, str]) -> Parsed:
    if not pointers:
        return file
    chosen = {name: resolve(file.tree, pointer) for name, pointer in pointers.items()}
    return replace(file, metrics={**file.metrics, **chosen})


def _kept(file: Parsed, keep: Sequence[str], keep_slices: Sequence[str]) -> Parsed:
    """Only the metrics and slices that bars need."""
    wanted = set(keep)
    slices = {
        name: {metric: value for metric, value in metrics.items() if metric in wanted}
        for name, metrics in file.slices.items()
        if any(fnmatchcase(name, glob) for glob in keep_slices)
    }
    metrics = {name: value for name, value in file.metrics.items() if name in wanted}
    return replace(file, metrics=metrics, slices=slices)


def _text(head: Mapping[str, str], file: Parsed) -> str:
    parts: dict[str, Any] = {**head, **file.rest, "metrics": _present(file.metrics)}
    if file.slices:
        parts["slices"] = {name: _present(metrics) for name, metrics in file.slices.items()}
    return _compact(parts)


def _present(metrics: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in metrics.items() if value is not None}


def _compact(parts: Mapping[str, Any]) -> str:
    return json.dumps(parts, separators=(",", ":"))
