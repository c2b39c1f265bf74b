"""Frameworks' own files in real pods: Merit's container reads them, and the bars judge."""

from __future__ import annotations

import json

from e2e.demo.model import condition, phase, stable, weight
from e2e.suite.evaluator import Evaluator, golden
from e2e.suite.workspace import SERVING, Workspace

HELD = 240  # seconds for two runs, of which the second follows at once
GARBAGE = "<html><body>502 Bad Gateway</body></html>\n"


def test_files_of_mlflow_and_scikit_learn_become_verdicts(workspace: Workspace) -> None:
    evaluator = Evaluator(workspace)
    bars = [{"metric": "recall_score", "min": "0.70", "proof": "Bound"}]
    written = golden("mlflow-3.17.2-classifier.json")
    evaluator.apply("good", "metrics.json", written, framework="MLflow", bars=bars)
    workspace.live("good", SERVING)
    (record,) = evaluator.records("good")
    assert (record["format"], record["verdict"]) == ("MLflow", "Good")
    # Numbers of the file itself: true positives, and they of all that were positive.
    assert json.loads(record["report"])["metrics"]["recall_score"] == {"k": 165, "n": 205}
    assert record["images"].count("\n") == 1, "the evaluator's image and Merit's are on record"

    one = {"metric": "recall", "slices": ["class=*"], "min": "0.75"}
    bars = [{"metric": "macro_f1", "min": "0.80"}, one]
    written = golden("sklearn-1.9.1.json")
    evaluator.apply("better", "report.json", written, framework="Sklearn", bars=bars)
    entry = workspace.rejected()["status"]["rejected"][0]
    print(f"better: {entry['reason']}: {entry['evidence']}")
    assert (entry["stage"], entry["reason"]) == ("Evaluation", "BelowBar")
    assert "class=Barbera" in entry["evidence"] and "0.727" in entry["evidence"]
    (record,) = evaluator.records("better")
    assert record["verdict"] == "Bad"
    assert json.loads(record["report"])["metrics"]["macro_f1"]["n"] == 89
    assert stable(workspace.model.seen()) == "good"


def test_garbage_is_asked_for_once_more_and_says_nothing_about_the_model(
    workspace: Workspace,
) -> None:
    workspace.model.apply("good")
    workspace.live("good", SERVING)
    evaluator = Evaluator(workspace)
    bars = [{"metric": "recall_score", "min": "0.70"}]
    evaluator.apply("better", "metrics.json", GARBAGE, framework="MLflow", bars=bars)
    seen = workspace.model.until(
        "the evaluation held",
        HELD,
        lambda seen: bool(seen["status"].get("candidate", {}).get("held")),
        lambda seen: phase(seen) in ("Invalid", "Rejected", "Live") or weight(seen) > 0,
    )
    found = condition(seen, "Evaluated")
    print(f"garbage: {found['reason']}: {found['message']}")
    assert (found["status"], found["reason"]) == ("Unknown", "Malformed")
    assert condition(seen, "Stalled")["reason"] == "Malformed"
    assert not seen["status"].get("rejected")
    runs = evaluator.records("better")
    assert [(r["verdict"], r["reason"]) for r in runs] == [("Undecided", "Malformed")] * 2
    assert stable(seen) == "good"
    # The evaluator is repaired; nothing of the model was: it is judged, and passes.
    written = golden("mlflow-3.17.2-classifier.json")
    evaluator.apply("better", "repaired.json", written, framework="MLflow", bars=bars)
    workspace.model.until(
        "the evaluation of the repaired file",
        SERVING,
        lambda seen: condition(seen, "Evaluated").get("status") == "True",
        lambda seen: phase(seen) in ("Invalid", "Rejected"),
    )
    assert evaluator.records("better")[-1]["reason"] == "MeetsBars"
