"""Runs while the image is built: do the versions differ as the demo says they do?

A version that merely claims to be bad would show nothing. So each is trained, judged by the same
report as in the cluster, and sent live payments; the build fails when a claim does not hold.
"""

from __future__ import annotations

import itertools
import sys
import time
from typing import Any

from e2e.model import data, evaluate, versions

ROWS, EXPENSIVE_ROWS = 2000, 40  # live payments that each version answers
BAR_RECALL, BAR_ROC_AUC, BAR_SPREAD = 0.80, 0.85, 0.20  # those of examples/
EXPENSIVE = 50  # times as much CPU as any other version, on whatever machine


def main() -> int:
    """Prints one line a version; returns 1 when a claim does not hold."""
    rates: dict[str, tuple[float, float]] = {}
    failed: dict[str, float] = {}
    spread: dict[str, float] = {}
    costs: dict[str, float] = {}
    for version in versions.VERSIONS:
        model = versions.train(version)
        report = evaluate.report(model)
        metrics: dict[str, Any] = report.content["metrics"]
        recall = metrics["recall"]["k"] / metrics["recall"]["n"]
        rates[version] = recall, metrics["roc_auc"]["v"]
        recalls = [
            of["recall"]["k"] / of["recall"]["n"] for of in report.content["slices"].values()
        ]
        spread[version] = max(recalls) - min(recalls)
        failed[version], costs[version] = _lives(
            model, EXPENSIVE_ROWS if version == "slow" else ROWS
        )
        print(
            f"{version}: recall {recall:.3f} (between regions {spread[version]:.3f}), "
            f"roc_auc {rates[version][1]:.3f}, live requests that fail {failed[version]:.1%}, "
            f"CPU of one {costs[version] * 1000:.2f} ms"
        )
    passes = {v: recall >= BAR_RECALL and auc >= BAR_ROC_AUC for v, (recall, auc) in rates.items()}
    claims = {
        "all but inaccurate pass the bars on the whole": all(
            passes[version] for version in versions.VERSIONS if version != "inaccurate"
        ),
        "only unfair serves a region far worse, beyond doubt": all(
            (spread[version] > 2 * BAR_SPREAD)
            if version == "unfair"
            else spread[version] < BAR_SPREAD
            for version in versions.VERSIONS
            if version != "inaccurate"
        ),
        "only slow is expensive": all(
            costs["slow"] > EXPENSIVE * cost for version, cost in costs.items() if version != "slow"
        ),
        "inaccurate misses them": not passes["inaccurate"],
        "better is better than good": all(
            b > g + 0.01 for g, b in zip(rates["good"], rates["better"], strict=True)
        ),
        "only failing fails live requests": all(
            (share > 0.05) if version == "failing" else share == 0
            for version, share in failed.items()
        ),
    }
    wrong = [claim for claim, holds in claims.items() if not holds]
    for claim in wrong:
        print(f"not so: {claim}", file=sys.stderr)
    return 1 if wrong else 0


def _lives(model: versions.Scorer, rows: int) -> tuple[float, float]:
    """The share of live payments that fail, and seconds of CPU for one."""
    failures, before = 0, time.process_time()
    for features in itertools.islice(data.live("check"), rows):
        try:
            model.score(features)
        except KeyError:
            failures += 1
    return failures / rows, (time.process_time() - before) / rows


if __name__ == "__main__":
    raise SystemExit(main())
