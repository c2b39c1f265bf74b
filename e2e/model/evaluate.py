"""The evaluation Job's command: judges one version on the holdout and writes the native report.

The kubelet hands /dev/termination-log to whoever watches the pod, so the report needs no volume
and no credentials.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from sklearn.metrics import roc_auc_score

import merit_report
from e2e.model import data, versions

THRESHOLD = 0.5
SCORE_EDGES = [round(0.1 * n, 1) for n in range(1, 10)]


def report(model: versions.Scorer, stable: versions.Scorer | None = None) -> merit_report.Report:
    """Of a version on the holdout, by region too, beside the serving version on the same rows.

    The usual distribution of its scores is that of the population that it was trained for.
    """
    rows = data.holdout()
    frauds = [row.fraud for row in rows]
    scores = _scores(model, rows)
    regions = {
        region: [n for n, row in enumerate(rows) if row.features["region"] == region]
        for region in data.REGIONS
    }
    return merit_report.report(
        metrics=_metrics(scores, frauds),
        slices={
            f"region={region}": _metrics([scores[n] for n in own], [frauds[n] for n in own])
            for region, own in regions.items()
        },
        dataset={"name": data.HOLDOUT_NAME, "digest": data.digest(rows), "rows": len(rows)},
        stable=_metrics(_scores(stable, rows), frauds) if stable else None,
        reference={
            "score": merit_report.histogram(model.scores(data.population(model.shift)), SCORE_EDGES)
        },
    )


def _scores(model: versions.Scorer, rows: Sequence[data.Row]) -> list[float]:
    return model.scores([row.features for row in rows])


def _metrics(scores: Sequence[float], frauds: Sequence[bool]) -> dict[str, Any]:
    flagged = [score >= THRESHOLD for score in scores]
    right = sum(a == b for a, b in zip(flagged, frauds, strict=True))
    caught = sum(a and b for a, b in zip(flagged, frauds, strict=True))
    auc = round(float(roc_auc_score(frauds, scores)), 4)
    return {
        "recall": merit_report.share(caught, sum(frauds)),
        "accuracy": merit_report.share(right, len(frauds)),
        "roc_auc": merit_report.value(auc, n=len(frauds)),
    }


def main() -> None:
    """Writes the report of `MERIT_MODEL_URI` to `MERIT_REPORT`, or to where the kubelet reads."""
    serving = os.environ.get("MERIT_STABLE_URI", "")
    made = report(
        versions.load(os.environ.get("MERIT_MODEL_VERSION", ""), os.environ["MERIT_MODEL_URI"]),
        versions.load("stable", serving) if serving else None,
    )
    made.write(os.environ.get("MERIT_REPORT"))
    print(made, flush=True)


if __name__ == "__main__":
    main()
