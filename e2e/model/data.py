"""Card payments, made by a seed: the same rows on every machine, without a download.

Kept free of scikit-learn, so that whoever sends traffic can make rows as well. Fraud follows from
the features by a fixed logistic law with noise, so a good model exists and none is perfect.

Live traffic holds what no training or holdout row holds: payments by a wallet, which came after
the data was collected. That is the usual way for a model to pass its tests and fail in service.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

REGIONS = ("north", "south", "east", "west")
CHANNELS = ("web", "app", "store", "phone")
NEW_CHANNEL = "wallet"
NEW_CHANNEL_SHARE = 0.07  # of live traffic; 0 of every other set

TRAINING_ROWS = 6000
HOLDOUT_ROWS = 4000
HOLDOUT_NAME = "fraud-holdout"
POPULATION_ROWS = 6000

Features = dict[str, float | str]


@dataclass(frozen=True, slots=True)
class Row:
    """One payment; `fraud` is what it turned out to be."""

    features: Features
    fraud: bool


def training() -> list[Row]:
    """What every version is trained on, or on a part of."""
    return [_row(random.Random(f"training-{n}")) for n in range(TRAINING_ROWS)]


def holdout() -> list[Row]:
    """What every version is evaluated on; no version sees it in training."""
    return [_row(random.Random(f"holdout-{n}")) for n in range(HOLDOUT_ROWS)]


def window(since: str, until: str, *, rows: int, shift: float = 1.0) -> list[Row]:
    """Labelled payments of a window of time, of a population whose amounts are so much larger."""
    return [_row(random.Random(f"{since}-{until}-{n}"), shift) for n in range(rows)]


def population(shift: float = 1.0) -> list[Features]:
    """Payments of a population, unlabelled and without any new channel: what scores usually are."""
    rows = window("population", "", rows=POPULATION_ROWS, shift=shift)
    return [row.features for row in rows]


def live(
    seed: str = "live",
    *,
    new_channel: float = NEW_CHANNEL_SHARE,
    spoiled: float = 0.0,
    shift: float = 1.0,
) -> Iterator[Features]:
    """Requests without end, as customers send them: this share of them by a channel that is new.

    `spoiled`: the share that arrives without an amount, which no version can take. `shift`: amounts
    are so many times as large, as when another kind of customer comes.
    """
    rng = random.Random(seed)
    while True:
        features = _row(rng).features
        if rng.random() < new_channel:
            features["channel"] = NEW_CHANNEL
        if shift != 1.0:
            features["amount"] = round(float(features["amount"]) * shift, 2)
        if spoiled and rng.random() < spoiled:
            del features["amount"]
        yield features


def digest(rows: list[Row]) -> str:
    """Names the data by its content."""
    text = json.dumps([[row.features, row.fraud] for row in rows], sort_keys=True)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _row(rng: random.Random, shift: float = 1.0) -> Row:
    region = rng.choice(REGIONS)
    channel = rng.choices(CHANNELS, weights=(4, 4, 3, 1))[0]
    amount = round(math.exp(rng.gauss(3.6, 1.1)) * shift, 2)
    hour = rng.randrange(24)
    account_days = round(rng.expovariate(1 / 400), 1)
    distance_km = round(rng.expovariate(1 / (60 if region == "north" else 90)), 1)
    declines = min(9, int(rng.expovariate(1.2)))
    night = 1.0 if hour < 6 else 0.0
    # Amount and distance matter together: a linear model sees each, a tree sees both.
    risk = (
        -2.2
        + 0.9 * (math.log1p(amount) - 3.6)
        + 1.1 * night
        + 0.9 * declines
        - 0.004 * min(account_days, 900)
        + 0.010 * (distance_km - 80)
        + (1.9 if amount > 60 and distance_km > 100 else 0.0)
        + (1.0 if channel == "phone" else 0.0)
        + (0.3 if region == "west" else 0.0)
    )
    fraud = rng.random() < 1 / (1 + math.exp(-1.8 * risk))
    features: Features = {
        "region": region,
        "channel": channel,
        "amount": amount,
        "hour": hour,
        "account_days": account_days,
        "distance_km": distance_km,
        "declines": declines,
    }
    return Row(features, fraud)
