"""Files that the frameworks themselves wrote become reports. `golden/make.py` made them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from merit.api.evaluation import EvaluationBar
from merit.cli.adapters.summary import ADAPTERS, summarise
from merit.policy.gates.evaluation.bars import judge
from merit.policy.gates.evaluation.finding import gate_verdict
from merit.policy.gates.evaluation.report import Report, parse_report

GOLDEN = Path(__file__).parent / "golden"
BOUND = {"revision": "h1:aa", "nonce": "bb"}


def read(name: str, framework: str, **more: Any) -> Report:
    raw = (GOLDEN / name).read_bytes()
    given: dict[str, Any] = {"pointers": {}, "keep": [], "keep_slices": []} | more
    text = summarise(raw, framework=framework, **given, **BOUND)
    report = parse_report(text, **BOUND)
    assert isinstance(report, Report), report
    return report


def told(report: Report) -> dict[str, tuple[str, int | None, int | None]]:
    return {name: (f"{v.v:.4f}", v.k, v.n) for name, v in report.metrics.items()}


def test_every_format_with_a_file_has_an_adapter_and_a_golden_file() -> None:
    made = {path.name.partition("-")[0] for path in GOLDEN.glob("*.json")}
    assert made == {name.lower() for name in ADAPTERS if name != "Native"}


def test_a_binary_classifier_of_mlflow() -> None:
    assert told(read("mlflow-3.17.2-classifier.json", "MLflow")) == {
        "true_negatives": ("167.0000", None, None),
        "false_positives": ("28.0000", None, None),
        "false_negatives": ("40.0000", None, None),
        "true_positives": ("165.0000", None, None),
        "example_count": ("400.0000", None, None),
        "accuracy_score": ("0.8300", 332, 400),
        "recall_score": ("0.8049", 165, 205),
        "precision_score": ("0.8549", 165, 193),
        "f1_score": ("0.8291", None, 400),
    }


def test_a_regressor_of_mlflow() -> None:
    found = told(read("mlflow-3.17.2-regressor.json", "MLflow"))
    assert found["root_mean_squared_error"] == ("0.3429", None, 400)
    assert found["r2_score"] == ("0.5294", None, 400)


def test_a_report_of_evidently() -> None:
    found = told(read("evidently-0.7.23.json", "Evidently"))
    accuracy = ("0.8867", None, None)
    assert found["Accuracy"] == found["Accuracy:classification_name=default"] == accuracy
    assert found["DriftedColumnsCount/count"] == ("1.0000", None, None)
    assert found["DriftedColumnsCount:drift_share=0.5/share"] == ("0.2500", None, None)
    assert found["MissingValueCount:column=amount/count"] == ("0.0000", None, None)
    assert found["tests_failed"] == ("1.0000", None, None)
    assert found["tests_passed"] == ("2.0000", None, None)


def test_results_of_lm_eval() -> None:
    report = read("lmeval-0.4.13.json", "LmEval")
    assert told(report) == {"sums/acc": ("0.8000", None, 5), "sums/acc_norm": ("0.8000", None, 5)}
    assert report.metrics["sums/acc"].se is not None
    pointed = read("lmeval-0.4.13.json", "LmEval", pointers={"acc": "/results/sums/acc,none"})
    assert told(pointed)["acc"] == ("0.8000", None, None)


def test_a_classification_report_of_scikit_learn() -> None:
    report = read("sklearn-1.9.1.json", "Sklearn")
    assert told(report)["accuracy"][1:] == (73, 89)
    assert set(report.metrics) == {"accuracy"} | {
        f"{average}_{metric}"
        for average in ("macro", "weighted")
        for metric in ("precision", "recall", "f1")
    }
    assert set(report.slices) == {"class=Barolo", "class=Grignolino", "class=Barbera d_Asti"}
    recall = report.slices["class=Barolo"]["recall"]
    assert (recall.k, recall.n) == (29, 33)
    assert report.slices["class=Barolo"]["f1"].n == 33


def test_a_classification_report_of_some_labels_has_no_accuracy() -> None:
    report = read("sklearn-1.9.1-some-labels.json", "Sklearn")
    assert "accuracy" not in report.metrics and "micro_f1" in report.metrics
    assert set(report.slices) == {"class=0", "class=2"}


@pytest.mark.parametrize(
    ("name", "framework", "bar"),
    [
        ("mlflow-3.17.2-classifier.json", "MLflow",
         {"metric": "recall_score", "min": "0.75", "proof": "Bound", "minSamples": 200}),
        ("evidently-0.7.23.json", "Evidently",
         {"metric": "DriftedColumnsCount/share", "max": "0.3"}),
        ("lmeval-0.4.13.json", "LmEval", {"metric": "sums/acc", "min": "0.4", "proof": "Bound"}),
        ("sklearn-1.9.1.json", "Sklearn",
         {"metric": "recall", "min": "0.1", "slices": ["class=*"]}),
    ],
)  # fmt: skip
def test_bars_judge_what_a_framework_wrote(name: str, framework: str, bar: Any) -> None:
    asked = [EvaluationBar.model_validate(bar)]
    assert gate_verdict(judge(read(name, framework), asked, None)).kind == "Good"
    strict = [
        EvaluationBar.model_validate(bar | ({"min": "1.1"} if "min" in bar else {"max": "-1"}))
    ]
    assert gate_verdict(judge(read(name, framework), strict, None)).kind == "Bad"


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.name)
def test_a_golden_file_is_small_and_real_json(path: Path) -> None:
    assert len(path.read_bytes()) < 8000
    json.loads(path.read_text())
