"""Evaluates a scikit-learn classifier with scikit-learn and merit_report only.

Needs: scikit-learn, and report/merit_report.py of the Merit repository beside this file.
"""

import hashlib
import os

import joblib
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score

from merit_report import histogram, report, share, value

# Your holdout: rows that no version was trained on, and always the same ones.
rows, truth = load_breast_cancer(return_X_y=True)
rows, truth = rows[400:], truth[400:]
digest = hashlib.sha256(rows.tobytes() + truth.tobytes()).hexdigest()


def score(uri):
    """The model's score of every row. Here the URI of a model is that of a file."""
    return joblib.load(uri.removeprefix("file://")).predict_proba(rows)[:, 1]


def metrics(scores, truth):
    """Shares as k of n, so that Merit knows their confidence bounds."""
    flagged = scores >= 0.5
    return {
        "recall": share((flagged & (truth == 1)).sum(), (truth == 1).sum()),
        "false_alarms": share((flagged & (truth == 0)).sum(), (truth == 0).sum()),
        "roc_auc": value(roc_auc_score(truth, scores), n=len(truth)),
    }


scores = score(os.environ["MERIT_MODEL_URI"])
serving = os.environ["MERIT_STABLE_URI"]  # empty at the first deployment
size = rows[:, 0]  # mean radius

report(
    metrics=metrics(scores, truth),
    slices={
        "size=small": metrics(scores[size < 14], truth[size < 14]),
        "size=large": metrics(scores[size >= 14], truth[size >= 14]),
    },
    dataset={"name": "breast-cancer", "digest": f"sha256:{digest}", "rows": len(rows)},
    stable=metrics(score(serving), truth) if serving else None,
    reference={"score": histogram(scores, le=[0.1, 0.3, 0.5, 0.7, 0.9])},
).write()
