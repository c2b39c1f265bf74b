"""What the suite's evaluator saves, and what comes of it: the same programs, without a cluster."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.demo.model import example
from e2e.suite.evaluator import golden, saves
from e2e.suite.test_evaluations import GARBAGE
from merit.api.spec import Spec
from merit.api.validation import read_spec
from merit.cli.documents import documents
from merit.cli.validate import check
from merit.objects.evaluation_job import evaluation_job
from merit.objects.workload import owner_reference
from merit.policy.gates.evaluation.job_outcome import Outcome, outcome
from merit.policy.state.observed import JobRun

OPERATOR = Path(__file__).parents[2] / "operator"
BOUND = {"revision": "h1:" + "a" * 64, "nonce": "b" * 16}
RECALL = {"metric": "recall_score", "min": "0.70", "proof": "Bound"}
CLASSES = {"metric": "recall", "slices": ["class=*"], "min": "0.75"}


def declared(file: str, framework: str, *bars: dict[str, Any]) -> dict[str, Any]:
    manifest = copy.deepcopy(example("good"))
    own = manifest["spec"]["evaluation"]
    manifest["spec"]["evaluation"] = saves(own, file, framework=framework, bars=list(bars))
    return manifest


def judged(there: Path, file: str, framework: str, text: str, *bars: dict[str, Any]) -> Outcome:
    """Both containers of the pod, one after the other, and the gate."""
    spec = read_spec(declared(file, framework, *bars)["spec"], name="fraud-scorer")
    assert isinstance(spec, Spec), spec
    job = evaluation_job(
        job="fraud-scorer-aaaaaaaa-evaluation-123456",
        name="fraud-scorer",
        namespace="demo",
        owner=owner_reference("fraud-scorer", "uid"),
        spec=spec,
        short="aaaaaaaa",
        image="registry.local/merit/operator:dev",
        **BOUND,
    )
    pod = job["spec"]["template"]["spec"]
    report, out = there / "report", there / "termination-log"
    report.mkdir()
    (there / file).write_text(text)
    paths = {"/usr/bin/python3": sys.executable, "python3": sys.executable}
    paths[f"/saved/{file}"] = str(there / file)
    for container in (*pod["initContainers"], *pod["containers"]):
        given = {e["name"]: e["value"] for e in container["env"]}
        given |= {"MERIT_REPORT_DIR": str(report), "PYTHONPATH": str(OPERATOR)}
        command = [*container["command"], *container.get("args", ())]
        own = [f"--out={out}"] if container in pod["containers"] else []
        subprocess.run(
            [*(paths.get(word, word) for word in command), *own],
            env=given | {"PATH": os.environ["PATH"]},
            check=True,
            capture_output=True,
        )
    run = JobRun("j", exists=True, finished=True, succeeded=True, message=out.read_text())
    return outcome(run, spec.evaluation, **BOUND)


@pytest.mark.parametrize(
    ("file", "framework", "bar"),
    [("metrics.json", "MLflow", RECALL), ("report.json", "Sklearn", CLASSES)],
)
def test_what_is_applied_is_valid(file: str, framework: str, bar: dict[str, Any]) -> None:
    (document,) = documents(yaml.safe_dump(declared(file, framework, bar)))
    found = check("evaluation.yaml", document)
    assert not found.errors and not found.skipped


def test_a_file_of_mlflow_passes(tmp_path: Path) -> None:
    written = golden("mlflow-3.17.2-classifier.json")
    assert judged(tmp_path, "metrics.json", "MLflow", written, RECALL).verdict.kind == "Good"


def test_a_file_of_scikit_learn_is_refused_for_one_class(tmp_path: Path) -> None:
    written = golden("sklearn-1.9.1.json")
    verdict = judged(tmp_path, "report.json", "Sklearn", written, CLASSES).verdict
    assert (verdict.kind, verdict.reason) == ("Bad", "BelowBar")
    assert "class=Barbera" in verdict.message and "0.727" in verdict.message


def test_garbage_is_no_verdict(tmp_path: Path) -> None:
    verdict = judged(tmp_path, "metrics.json", "MLflow", GARBAGE, RECALL).verdict
    assert (verdict.kind, verdict.reason) == ("Undecided", "Malformed")
