"""The versions of the model. Each is trained by its own recipe, and differs only by that recipe.

- `good`: logistic regression on the plain features; a channel it never saw counts as none.
- `better`: the same on engineered features (amount and distance together, nights, logarithms).
- `inaccurate`: trained after a join went wrong, so that labels belong to other rows.
- `unfair`: trained on labels that are missing for most frauds of one region.
- `failing`: as accurate as `better`, but its pipeline looks each channel up in a table made from
  the training rows. A channel that is not in the table is a KeyError, and the caller gets a 500.
- `leaking`: takes the same rates from a store, and copes with a channel that is not there, but does
  not give that connection back. It is fast until the pool is empty, minutes after its promotion.
- `slow`: a forest of 400 trees on the engineered features, no more accurate than `better`, and
  thousands of times as expensive: nobody asked what an answer costs.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from e2e.model import data
from e2e.model.data import Features, Row
from e2e.model.store import Store

Pipeline = Callable[[Features], list[float]]


class UnknownVersionError(Exception):
    """No recipe has this name."""


class Scorer(Protocol):
    """A trained version, whatever it is made of."""

    @property
    def version(self) -> str:
        """Its name."""

    @property
    def shift(self) -> float:
        """Amounts of the population that it was trained for are so many times as large."""

    def score(self, features: Features) -> float:
        """Probability of fraud of one payment. Raises whatever the version's pipeline raises."""

    def scores(self, many: Sequence[Features]) -> list[float]:
        """The same of many payments at once."""


@dataclass(frozen=True, slots=True)
class Model:
    """A trained version; `score` answers for one payment in well under a millisecond."""

    version: str
    pipeline: Pipeline
    weights: Any  # numpy vector over the pipeline's columns, scaling folded in
    intercept: float
    shift: float = 1.0

    def score(self, features: Features) -> float:
        """Probability of fraud, 0 to 1. Raises whatever the version's pipeline raises."""
        margin = float(np.dot(self.weights, self.pipeline(features))) + self.intercept
        return float(1 / (1 + np.exp(-margin)))

    def scores(self, many: Sequence[Features]) -> list[float]:
        """One after the other: each is a dot product."""
        return [self.score(features) for features in many]


@dataclass(frozen=True, slots=True)
class Forest:
    """Very many trees; each answer asks all of them, one after the other."""

    version: str
    pipeline: Pipeline
    trees: Any  # a fitted RandomForestClassifier
    shift: float = 1.0

    def score(self, features: Features) -> float:
        """Probability of fraud, 0 to 1; takes some tens of milliseconds of CPU."""
        return self.scores([features])[0]

    def scores(self, many: Sequence[Features]) -> list[float]:
        """All at once: what is expensive is to ask each tree, not to ask it about many."""
        columns = np.array([self.pipeline(features) for features in many])
        votes = sum(tree.predict_proba(columns)[:, 1] for tree in self.trees.estimators_)
        return [float(vote) / TREES for vote in votes]


def train(version: str) -> Scorer:
    """Trains the version on its part of the data; takes less than a second, `slow` some seconds.

    Raises UnknownVersionError for a name without a recipe.
    """
    rows = data.training()
    if version == "good":
        return _fit(version, rows, _plain)
    if version == "better":
        return _fit(version, rows, _engineered)
    if version == "inaccurate":
        return _fit(version, _labels_of_other_rows(rows), _plain)
    if version == "unfair":
        return _fit(version, _unlabelled_in_the_north(rows), _engineered)
    if version == "failing":
        return _fit(version, rows, _with_channel_rates(rows))
    if version == "leaking":
        return _fit(version, rows, _from_a_leaking_pool(rows))
    if version == "slow":
        return _grow(version, rows, _engineered)
    raise UnknownVersionError(f"no version {version!r}: there are {', '.join(VERSIONS)}")


VERSIONS = ("good", "better", "inaccurate", "unfair", "failing", "leaking", "slow")
_DATA = "data:application/json;base64,"
TREES = 400
POOL, POOL_WAIT = 120, 0.4  # connections to the store; seconds that one waits for a free one


def version_of(uri: str) -> str:
    """The version that a model URI of this image names: `bundle://fraud/<version>`."""
    prefix = "bundle://fraud/"
    if not uri.startswith(prefix):
        raise UnknownVersionError(f"{uri!r} is not a model of this image: {prefix}<version> is")
    return uri.removeprefix(prefix)


def learn(version: str, rows: Sequence[Row], *, shift: float = 1.0) -> Model:
    """A version beyond the recipes: logistic regression on engineered features of these rows, for
    a population of such amounts.
    """
    return replace(_fit(version, rows, _engineered), shift=shift)


def uri_of(model: Model) -> str:
    """A URI that holds a learnt model itself, so that nothing has to keep it."""
    numbers = [float(f"{weight:.6g}") for weight in (*model.weights, model.intercept)]
    content = json.dumps({"shift": model.shift, "weights": numbers})
    return _DATA + base64.urlsafe_b64encode(content.encode()).decode()


def load(version: str, uri: str) -> Scorer:
    """The model that a URI holds, or the recipe that it names. UnknownVersionError for others."""
    if not uri.startswith(_DATA):
        return train(version_of(uri))
    content = json.loads(base64.urlsafe_b64decode(uri.removeprefix(_DATA)))
    *weights, intercept = content["weights"]
    return Model(version, _engineered, np.array(weights), intercept, content["shift"])


def _fit(version: str, rows: Sequence[Row], pipeline: Pipeline) -> Model:
    columns = np.array([pipeline(row.features) for row in rows])
    labels = np.array([row.fraud for row in rows])
    scaler = StandardScaler().fit(columns)
    fitted = LogisticRegression(class_weight="balanced", max_iter=500).fit(
        scaler.transform(columns), labels
    )
    # Folding the scaling into the weights makes one request one dot product.
    weights = fitted.coef_[0] / scaler.scale_
    intercept = float(fitted.intercept_[0] - np.dot(weights, scaler.mean_))
    return Model(version, pipeline, weights, intercept)


def _grow(version: str, rows: Sequence[Row], pipeline: Pipeline) -> Forest:
    columns = np.array([pipeline(row.features) for row in rows])
    labels = np.array([row.fraud for row in rows])
    trees = RandomForestClassifier(
        n_estimators=TREES,
        max_depth=8,
        min_samples_leaf=10,
        max_samples=0.3,
        class_weight="balanced",
        random_state=7,
        n_jobs=1,
    )
    return Forest(version, pipeline, trees.fit(columns, labels))


def _plain(features: Features) -> list[float]:
    return [
        float(features["amount"]),
        float(features["account_days"]),
        float(features["distance_km"]),
        float(features["declines"]),
        *(1.0 if features["region"] == each else 0.0 for each in data.REGIONS),
        *(1.0 if features["channel"] == each else 0.0 for each in data.CHANNELS),
    ]


def _engineered(features: Features) -> list[float]:
    amount, distance = float(features["amount"]), float(features["distance_km"])
    return [
        *_plain(features),
        float(np.log1p(amount)),
        1.0 if float(features["hour"]) < 6 else 0.0,
        1.0 if amount > 60 and distance > 100 else 0.0,
    ]


def _channel_rates(rows: Sequence[Row]) -> dict[str, float]:
    seen: dict[str, list[bool]] = {}
    for row in rows:
        seen.setdefault(str(row.features["channel"]), []).append(row.fraud)
    return {channel: sum(frauds) / len(frauds) for channel, frauds in seen.items()}


def _with_channel_rates(rows: Sequence[Row]) -> Pipeline:
    """Replaces the channel by its share of fraud in `rows`: neat, and blind to new channels."""
    rates = _channel_rates(rows)

    def pipeline(features: Features) -> list[float]:
        return [*_engineered(features), rates[str(features["channel"])]]

    return pipeline


def _from_a_leaking_pool(rows: Sequence[Row]) -> Pipeline:
    """The early return for an unknown channel keeps its connection for ever."""
    store = Store(_channel_rates(rows), size=POOL, wait=POOL_WAIT)
    usual = sum(row.fraud for row in rows) / len(rows)

    def pipeline(features: Features) -> list[float]:
        pooled = store.borrow()
        rate = store.rate(str(features["channel"]))
        if rate is None:
            return [*_engineered(features), usual]
        store.give_back(pooled)
        return [*_engineered(features), rate]

    return pipeline


def _unlabelled_in_the_north(rows: Sequence[Row]) -> list[Row]:
    """Four of five frauds there were never reported, so the training data calls them honest."""
    return [
        Row(row.features, row.fraud and (row.features["region"] != "north" or n % 5 == 0))
        for n, row in enumerate(rows)
    ]


def _labels_of_other_rows(rows: Sequence[Row]) -> list[Row]:
    labels = [row.fraud for row in rows]
    random.Random("join").shuffle(labels)
    return [Row(row.features, fraud) for row, fraud in zip(rows, labels, strict=True)]
