"""Whether more or less of a metric is better: by its name, by its bars, or as the user says."""

from __future__ import annotations

import pytest

from merit.api.evaluation import direction_of
from tests.policy.gates.evaluation.reports import bar


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("roc_auc", "Higher"), ("val/RMSE", "Lower"), ("log_loss", "Lower"), ("macro_f1", "Higher"),
        ("hellaswag/acc", "Higher"), ("latency_p95", "Lower"), ("fpr@0.5", "Lower"),
        ("word_perplexity", "Lower"), ("r2_score", "Higher"), ("glossary", None), ("score", None),
        ("accuracy_loss", None), ("hits", None),
    ],
)  # fmt: skip
def test_the_direction_is_taken_from_a_well_known_name(name: str, direction: str | None) -> None:
    assert direction_of(name) == direction


def test_the_direction_is_taken_from_the_side_of_a_bar_unless_it_is_declared() -> None:
    assert bar("x", min="0").better == "Higher"
    assert bar("auc", max="1").better == "Lower"
    assert bar("auc", min="0", max="1").better == "Higher"
    assert bar("auc", min="0", direction="Lower").better == "Lower"
    assert bar("x", noWorseThanStable="0").better is None
