"""Which way is better? Told by a metric's name where everybody agrees, else by the user."""

from __future__ import annotations

import re
from typing import Literal

Direction = Literal["Higher", "Lower"]

_WORD = r"(?i)(^|[^a-z0-9])({})([^a-z0-9]|$)"
# The same patterns stand in the CRD's rules: Go's syntax and Python's agree on all of this.
LOWER = _WORD.format(
    "loss|error|errors|rmse|mae|mse|mape|smape|rmsle|ece|fpr|fnr|latency|perplexity|ppl|brier|wer|cer"
)
HIGHER = _WORD.format(
    "accuracy|acc|auc|auroc|auprc|precision|recall|sensitivity|specificity|tpr|tnr|f1|r2|kappa|mcc"
    "|ndcg|mrr|bleu|iou|dice"
)


def direction_of(metric: str) -> Direction | None:
    """`Lower` for `log_loss`, `Higher` for `roc_auc`; None if neither, or both, are said."""
    lower, higher = re.search(LOWER, metric), re.search(HIGHER, metric)
    if bool(lower) == bool(higher):
        return None
    return "Lower" if lower else "Higher"
