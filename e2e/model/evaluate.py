"""The evaluation Job's command: judges one version on the holdout and writes the native report.

The kubelet hands /dev/termination-log to whoever watches the pod, so the report needs no volume
and no credentials. It may hold 4,096 bytes; this one holds about half.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from sklearn.metrics import roc_auc_score

from e2e.model import data, versions

THRESHOLD = 0.5
SCORE_EDGES = [round(0.1 * n, 1) for n in range(1, 10)]


def report(model: versions.Model, *, revision: str, nonce: str) -> dict[str, Any]:
    """The report of a version on the holdout, slices by region included."""
    rows = data.holdout()
    scores = [model.score(row.features) for row in rows]
    frauds = [row.fraud for row in rows]
    slices = {}
    for region in data.REGIONS:
        chosen = [n for n, row in enumerate(rows) if row.features["region"] == region]
        slices[f"region={region}"] = _metrics(
            [scores[n] for n in chosen], [frauds[n] for n in chosen]
        )
    return {
        "schema": "merit.dev/report/v1",
        "revision": revision,
        "nonce": nonce,
        "dataset": {
            "name": data.HOLDOUT_NAME,
            "digest": data.digest(rows),
            "rows": len(rows),
        },
        "metrics": _metrics(scores, frauds),
        "slices": slices,
        "reference": {"score": {"le": SCORE_EDGES, "n": _histogram(scores)}},
    }


def _metrics(scores: list[float], frauds: list[bool]) -> dict[str, Any]:
    flagged = [score >= THRESHOLD for score in scores]
    right = sum(a == b for a, b in zip(flagged, frauds, strict=True))
    caught = sum(a and b for a, b in zip(flagged, frauds, strict=True))
    return {
        "recall": {"k": caught, "n": sum(frauds)},
        "accuracy": {"k": right, "n": len(frauds)},
        "roc_auc": {"v": round(float(roc_auc_score(frauds, scores)), 4), "n": len(frauds)},
    }


def _histogram(scores: list[float]) -> list[int]:
    counts = [0] * (len(SCORE_EDGES) + 1)
    for score in scores:
        counts[sum(score > edge for edge in SCORE_EDGES)] += 1
    return counts


def main() -> None:
    """Writes the report of `MERIT_MODEL_URI` to MERIT_REPORT, or where the kubelet reads it."""
    found = report(
        versions.load(os.environ.get("MERIT_MODEL_VERSION", ""), os.environ["MERIT_MODEL_URI"]),
        revision=os.environ["MERIT_REVISION"],
        nonce=os.environ["MERIT_NONCE"],
    )
    text = json.dumps(found, separators=(",", ":"))
    Path(os.environ.get("MERIT_REPORT", "/dev/termination-log")).write_text(text)
    print(text, flush=True)


if __name__ == "__main__":
    main()
