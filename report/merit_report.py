"""Writes an evaluation report for Merit: one file, standard library only. Copy it, or install it.

    from merit_report import report, share

    report(metrics={"recall": share(838, 1000), "roc_auc": 0.91}).write()

A report has numbers only: the bars are in the ModelDeployment, and Merit compares. The run that the
report belongs to is read from the variables that Merit sets in the evaluator's container.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, SupportsFloat

__version__ = "1.0.0"
__all__ = ["Report", "histogram", "report", "share", "value"]

LIMIT = 4096  # bytes that the kubelet keeps of a termination message
MESSAGE = "/dev/termination-log"

Metric = SupportsFloat | Mapping[str, Any]
"""A number (also NumPy's), or the result of `share` or `value`."""


def share(k: SupportsFloat, n: SupportsFloat) -> dict[str, int]:
    """k of n, such as 838 found of 1,000 frauds: Merit computes exact 95 % bounds from it."""
    hits, of = int(float(k)), int(float(n))
    if not 0 <= hits <= of or of < 1:
        raise ValueError(f"{hits} of {of} is not a share")
    return {"k": hits, "n": of}


def value(
    v: SupportsFloat, *, se: SupportsFloat | None = None, n: SupportsFloat | None = None
) -> dict[str, float | int]:
    """A number with its standard error `se` and the number of samples `n`, if they are known."""
    metric: dict[str, float | int] = {"v": float(v)}
    if se is not None:
        metric["se"] = float(se)
    if n is not None:
        metric["n"] = int(float(n))
    return metric


def histogram(values: Iterable[SupportsFloat], le: Sequence[float]) -> dict[str, list[Any]]:
    """How many values are at or below each edge, and above the last one. At most 20 edges."""
    counts = [0] * (len(le) + 1)
    for each in values:
        counts[sum(float(each) > edge for edge in le)] += 1
    return {"le": list(le), "n": counts}


@dataclass(frozen=True)
class Report:
    """The result of `report`: check `content`, then `write` it."""

    content: Mapping[str, Any]

    def __str__(self) -> str:
        """The text that is written: one line of JSON."""
        return json.dumps(self.content, separators=(",", ":"), allow_nan=False)

    def write(self, path: str | os.PathLike[str] | None = None) -> None:
        """Write it to the termination message, or to `path`. ValueError if it does not fit."""
        text = str(self)
        if path is None and len(text.encode()) > LIMIT:
            raise ValueError(
                f"the report has {len(text.encode()):,} bytes, at most {LIMIT:,} fit: report fewer "
                "metrics or slices, or write a file (evaluation.report.path)"
            )
        Path(path or MESSAGE).write_text(text)


def report(
    metrics: Mapping[str, Metric],
    *,
    slices: Mapping[str, Mapping[str, Metric]] | None = None,
    dataset: Mapping[str, Any] | None = None,
    stable: Mapping[str, Metric] | None = None,
    delta: Mapping[str, Metric] | None = None,
    reference: Mapping[str, Mapping[str, Any]] | None = None,
    artifact: Mapping[str, str] | None = None,
) -> Report:
    """The report of this run. ValueError if a number is not finite (NaN, infinity).

    `slices`: metrics by `key=value`, such as `country=BR`. `dataset`: name, digest, rows.
    `stable`: the serving model's metrics on the same data (its URI is MERIT_STABLE_URI).
    `delta`: candidate minus stable, paired. `reference`: a `histogram` by name.
    `artifact`: uri and sha256 of everything else.
    """
    content: dict[str, Any] = {
        "schema": "merit.dev/report/v1",
        "revision": os.environ.get("MERIT_REVISION", ""),
        "nonce": os.environ.get("MERIT_NONCE", ""),
        "metrics": _metrics(metrics),
    }
    if slices:
        content["slices"] = {name: _metrics(of) for name, of in slices.items()}
    if dataset:
        content["dataset"] = dict(dataset)
    if stable or delta:
        content["stable"] = {
            "revision": os.environ.get("MERIT_STABLE_REVISION", ""),
            "metrics": _metrics(stable or {}),
            "delta": _metrics(delta or {}),
        }
    if reference:
        content["reference"] = {name: dict(of) for name, of in reference.items()}
    if artifact:
        content["artifact"] = dict(artifact)
    return Report(content)


def _metrics(metrics: Mapping[str, Metric]) -> dict[str, Any]:
    return {name: _metric(name, metric) for name, metric in metrics.items()}


def _metric(name: str, metric: Metric) -> Any:
    if isinstance(metric, Mapping):
        return {key: _number(name, part) for key, part in metric.items()}
    return _number(name, metric)


def _number(name: str, number: Any) -> float | int:
    plain = number if isinstance(number, int) else float(number)
    if not math.isfinite(plain):
        raise ValueError(f"{name} is {plain}: find the cause, or leave it out")
    return plain
