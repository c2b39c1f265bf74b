"""Compares today's data and predictions with the reference, and writes Evidently's own result.

Needs: evidently >= 0.7, scikit-learn. Read with `report: {format: Evidently}`.
"""

import os

import joblib
import pandas
from evidently import BinaryClassification, DataDefinition, Dataset, Report
from evidently.metrics import Accuracy, DriftedColumnsCount
from evidently.tests import gte
from sklearn.datasets import load_breast_cancer

features = load_breast_cancer(as_frame=True)
model = joblib.load(os.environ["MERIT_MODEL_URI"].removeprefix("file://"))
columns = ["mean radius", "mean texture", "mean area"]


def dataset(part):
    """Features, labels and predictions of some rows."""
    rows = features.data.iloc[part]
    table = pandas.DataFrame(
        {
            **{column: rows[column] for column in columns},
            "label": features.target.iloc[part],
            "predicted": model.predict(rows.to_numpy()),
        }
    )
    definition = DataDefinition(
        classification=[BinaryClassification(target="label", prediction_labels="predicted")],
        numerical_columns=columns,
    )
    return Dataset.from_pandas(table, data_definition=definition)


report = Report([DriftedColumnsCount(columns=columns), Accuracy(tests=[gte(0.8)])])
result = report.run(dataset(slice(400, None)), dataset(slice(0, 400)))
result.save_json(os.path.join(os.environ["MERIT_REPORT_DIR"], "report.json"))
