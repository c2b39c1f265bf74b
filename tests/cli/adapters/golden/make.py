"""Makes the golden files: what the frameworks themselves write, at the versions named here.

Not part of the tests, for the frameworks are heavy. For each, in an environment of its own:

    python -m venv /tmp/golden && /tmp/golden/bin/pip install 'scikit-learn==1.9.1'
    /tmp/golden/bin/python tests/cli/adapters/golden/make.py sklearn

Writes beside this file, under a name that carries the version; and what the framework's example in
`examples/evaluation` writes, to `tests/examples`.
"""

from __future__ import annotations

import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
VERSIONS = {
    "sklearn": {"scikit-learn": "1.9.1"},
    "mlflow": {"mlflow": "3.17.2"},
    "evidently": {"evidently": "0.7.23", "pandas": "2.3.3"},
    "lmeval": {"lm-eval": "0.4.13"},
}
LM_EVAL = "--model dummy --tasks sums --include_path . --output_path out --seed 1"


def sklearn() -> None:
    """`classification_report(output_dict=True)`: of all labels, and of some of them."""
    from sklearn.datasets import load_wine
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import classification_report
    from sklearn.model_selection import train_test_split

    x, y = load_wine(return_X_y=True)
    train, test, of_train, of_test = train_test_split(x, y, test_size=0.5, random_state=1)
    model = LogisticRegression(max_iter=5000, C=0.001).fit(train, of_train)
    said = model.predict(test)
    names = ["Barolo", "Grignolino", "Barbera d'Asti"]
    whole = classification_report(of_test, said, target_names=names, output_dict=True)
    some = classification_report(of_test, said, labels=[0, 2], output_dict=True)
    write("sklearn-{}.json", whole)
    write("sklearn-{}-some-labels.json", some)


def mlflow() -> None:
    """`mlflow.models.evaluate` of a classifier and a regressor, `EvaluationResult.save`."""
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    import mlflow
    import numpy
    import pandas

    draw = numpy.random.default_rng(1)
    with tempfile.TemporaryDirectory() as scratch:
        mlflow.set_tracking_uri(f"sqlite:///{scratch}/mlflow.db")
        truth = draw.integers(0, 2, 400)
        score = numpy.clip(truth * 0.4 + draw.random(400) * 0.6, 0, 1)
        rows = pandas.DataFrame({"label": truth, "prediction": (score > 0.5).astype(int)})
        labels = pandas.DataFrame({"label": truth * 1.0, "prediction": score})
        for kind, frame in (("classifier", rows), ("regressor", labels)):
            result = mlflow.models.evaluate(
                data=frame,
                targets="label",
                predictions="prediction",
                model_type=kind,
                evaluators="default",
                evaluator_config={"log_explainer": False},
            )
            into = Path(scratch, kind)
            result.save(str(into))
            name = HERE / f"mlflow-{VERSIONS['mlflow']['mlflow']}-{kind}.json"
            shutil.copy(into / "metrics.json", name)


def evidently() -> None:
    """A report with drift, classification quality and tests, by `Snapshot.save_json`."""
    import numpy
    import pandas
    from evidently import BinaryClassification, DataDefinition, Dataset, Report
    from evidently.metrics import Accuracy, DriftedColumnsCount, F1Score, MissingValueCount
    from evidently.tests import gte, lte

    draw = numpy.random.default_rng(1)

    def rows(shift: float) -> Any:
        truth = draw.integers(0, 2, 300)
        return Dataset.from_pandas(
            pandas.DataFrame(
                {
                    "amount": draw.normal(10 + shift, 2, 300),
                    "hour": draw.integers(0, 24, 300),
                    "label": truth,
                    "said": numpy.where(draw.random(300) < 0.9, truth, 1 - truth),
                }
            ),
            data_definition=DataDefinition(
                classification=[BinaryClassification(target="label", prediction_labels="said")],
                numerical_columns=["amount", "hour"],
            ),
        )

    report = Report(
        [
            DriftedColumnsCount(),
            Accuracy(tests=[gte(0.8)]),
            F1Score(tests=[gte(0.99)]),
            MissingValueCount(column="amount", tests=[lte(0)]),
        ]
    )
    result = report.run(rows(1.5), rows(0.0))
    result.save_json(str(HERE / f"evidently-{VERSIONS['evidently']['evidently']}.json"))


def lmeval() -> None:
    """`lm_eval` with its dummy model and a task of five questions that lies beside it."""
    questions = [
        {"question": f"What is {n} and {n}?", "choices": [str(n), str(2 * n)], "answer": 1}
        for n in range(1, 6)
    ]
    task = """
task: sums
dataset_path: json
dataset_kwargs: {data_files: {test: questions.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{choices}}"
doc_to_target: "{{answer}}"
metric_list:
- {metric: acc, aggregation: mean, higher_is_better: true}
- {metric: acc_norm, aggregation: mean, higher_is_better: true}
"""
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch, "sums.yaml").write_text(task)
        Path(scratch, "questions.jsonl").write_text("\n".join(map(json.dumps, questions)))
        subprocess.run(
            (sys.executable, "-m", "lm_eval", *LM_EVAL.split()),
            cwd=scratch,
            check=True,
        )
        (made,) = glob.glob(f"{scratch}/out/**/results_*.json", recursive=True)
        told = json.loads(Path(made).read_text())
        for private in ("pretty_env_info", "git_hash"):  # of the machine, read by nobody
            told.pop(private, None)
        write("lmeval-{}.json", told)


def example(name: str) -> None:
    """What `examples/evaluation/<name>/evaluate.py` leaves, for a model trained here."""
    import joblib
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import RandomForestClassifier

    project = HERE.parents[2]
    rows, truth = load_breast_cancer(return_X_y=True)
    with tempfile.TemporaryDirectory() as scratch:
        model = RandomForestClassifier(50, random_state=1).fit(rows[:400], truth[:400])
        joblib.dump(model, f"{scratch}/model")
        given = {
            "PYTHONPATH": str(project / "report"),
            "MERIT_REVISION": "h1:aa",
            "MERIT_NONCE": "bb",
            "MERIT_MODEL_URI": f"file://{scratch}/model",
            "MERIT_STABLE_URI": f"file://{scratch}/model",
            "MERIT_STABLE_REVISION": "h1:cc",
            "MERIT_REPORT_DIR": scratch,
        }
        script = project / "examples" / "evaluation" / name / "evaluate.py"
        subprocess.run((sys.executable, str(script)), env={**os.environ, **given}, check=True)
        left = {"mlflow": "metrics.json", "evidently": "report.json"}.get(name)
        # In a container this is where the kubelet reads.
        made = Path(scratch, left) if left else Path("/dev/termination-log")
        shutil.copy(made, HERE.parents[1] / "examples" / f"{name}.json")
        if not left:
            made.unlink()


def write(name: str, content: Any) -> None:
    """As the framework's users write it: plain json.dump."""
    pinned = next(iter(VERSIONS[sys.argv[1]].values()))
    (HERE / name.format(pinned)).write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    chosen = sys.argv[1]
    for package, pinned in VERSIONS[chosen].items():
        if version(package) != pinned:
            sys.exit(f"{package} {version(package)} is here, {pinned} is wanted")
    globals()[chosen]()
    if chosen != "lmeval":
        example(chosen)
