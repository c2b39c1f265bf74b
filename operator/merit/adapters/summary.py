"""From what an adapter found to a report that fits a termination message."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from merit.adapters import evidently, lmeval, mlflow, native, sklearn
from merit.adapters.found import Found
from merit.adapters.pointer import resolve
from merit.policy.evaluation.report import ERROR_SCHEMA, MAX_METRICS, MAX_SLICES, SCHEMA, content
from merit.policy.evaluation.strict import ANY, LIMIT, Refusal, malformed, plain

ADAPTERS: Mapping[str, Callable[[bytes], Found]] = {
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
    """The report as the termination message carries it, at most 4,096 bytes.

    `pointers`: JSON Pointers by the name that their value gets. What bars name is in `keep` and
    `keep_slices` (globs); if everything does not fit, the rest is left out.
    Raises Refusal, or MemoryError.
    """
    bound = {"schema": SCHEMA, "revision": revision, "nonce": nonce}
    try:
        found = _with_pointers(ADAPTERS[framework](raw), pointers)
        for candidate in (found, _kept(found, keep, keep_slices)):
            text = _text(bound, candidate)
            fits = len(candidate.metrics) <= MAX_METRICS and len(candidate.slices) <= MAX_SLICES
            if fits and len(text.encode()) <= LIMIT:
                content(json.loads(text))  # what is written here can be read there
                return text
    except (Refusal, MemoryError):
        raise
    except ANY:
        raise malformed(f"the file is not what {framework} writes") from None
    raise Refusal(
        "ReportTooLarge",
        f"what the bars name takes {len(text.encode()):,} bytes, at most {LIMIT:,} fit: "
        "name fewer metrics or slices",
    )


def error(refused: Refusal, *, revision: str, nonce: str) -> str:
    """What is written instead of a report."""
    told = {"reason": refused.reason, "message": plain(str(refused), 500)}
    return _compact({"schema": ERROR_SCHEMA, "revision": revision, "nonce": nonce} | told)


def _with_pointers(found: Found, pointers: Mapping[str, str]) -> Found:
    if not pointers:
        return found
    chosen = {name: resolve(found.tree, pointer) for name, pointer in pointers.items()}
    return replace(found, metrics={**found.metrics, **chosen})


def _kept(found: Found, keep: Sequence[str], keep_slices: Sequence[str]) -> Found:
    """Only what the bars are about."""
    wanted = set(keep)
    slices = {
        name: {metric: value for metric, value in metrics.items() if metric in wanted}
        for name, metrics in found.slices.items()
        if any(fnmatchcase(name, glob) for glob in keep_slices)
    }
    metrics = {name: value for name, value in found.metrics.items() if name in wanted}
    return replace(found, metrics=metrics, slices=slices)


def _text(bound: Mapping[str, str], found: Found) -> str:
    parts: dict[str, Any] = {**bound, **found.rest, "metrics": _told(found.metrics)}
    if found.slices:
        parts["slices"] = {name: _told(metrics) for name, metrics in found.slices.items()}
    return _compact(parts)


def _told(metrics: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in metrics.items() if value is not None}


def _compact(parts: Mapping[str, Any]) -> str:
    return json.dumps(parts, separators=(",", ":"))
