"""Evaluates a classifier with MLflow and writes MLflow's own result: no code for Merit is needed.

Needs: mlflow, scikit-learn. Read with `report: {format: MLflow}`.
"""

import os

import joblib
import mlflow
import pandas
from sklearn.datasets import load_breast_cancer

mlflow.set_tracking_uri("sqlite:////tmp/mlflow.db")  # or your server: the Job has the credentials

rows, truth = load_breast_cancer(return_X_y=True)
model = joblib.load(os.environ["MERIT_MODEL_URI"].removeprefix("file://"))
holdout = pandas.DataFrame({"label": truth[400:], "prediction": model.predict(rows[400:])})

result = mlflow.models.evaluate(
    data=holdout,
    targets="label",
    predictions="prediction",
    model_type="classifier",
    evaluator_config={"log_explainer": False},
)
result.save(os.environ["MERIT_REPORT_DIR"])  # metrics.json is in it
