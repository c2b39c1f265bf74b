from itertools import islice

from e2e.model import data
from e2e.model.store import Store
from merit.stats.drift import REFERENCE_FLOOR


def test_the_data_is_the_same_every_time() -> None:
    assert data.digest(data.holdout()) == data.digest(data.holdout())
    assert list(islice(data.live(), 100)) == list(islice(data.live(), 100))


def test_training_and_holdout_are_different_rows() -> None:
    training = {str(row.features) for row in data.training()}
    assert not any(str(row.features) in training for row in data.holdout())


def test_every_region_has_hundreds_of_holdout_rows_with_frauds() -> None:
    rows = data.holdout()
    for region in data.REGIONS:
        chosen = [row for row in rows if row.features["region"] == region]
        assert len(chosen) > 900
        assert sum(row.fraud for row in chosen) > 50


def test_spoiled_payments_lack_their_amount_and_a_shifted_population_pays_more() -> None:
    usual = list(islice(data.live(new_channel=0.0), 2000))
    shifted = list(islice(data.live(new_channel=0.0, shift=3.0), 2000))
    assert sum(float(f["amount"]) for f in shifted) > 2.9 * sum(float(f["amount"]) for f in usual)
    spoiled = list(islice(data.live(spoiled=0.1), 2000))
    assert 0.08 < sum("amount" not in f for f in spoiled) / 2000 < 0.12


def test_a_connection_that_is_not_given_back_is_missed_once_the_pool_is_empty() -> None:
    store = Store({"web": 0.1}, size=2, wait=0.0)
    with store.connection():
        assert store.rate("web") == 0.1
    assert [store.borrow(), store.borrow(), store.borrow()] == [True, True, False]


def test_the_new_channel_is_in_live_traffic_only() -> None:
    known = [*data.training(), *data.holdout()]
    assert not any(row.features["channel"] == data.NEW_CHANNEL for row in known)
    live = list(islice(data.live(), 5000))
    share = sum(features["channel"] == data.NEW_CHANNEL for features in live) / len(live)
    assert 0.05 < share < 0.08


def test_what_scores_usually_are_is_told_by_enough_payments_and_without_the_new_channel() -> None:
    rows = data.population()
    assert len(rows) >= REFERENCE_FLOOR
    assert not any(features["channel"] == data.NEW_CHANNEL for features in rows)
    richer = data.population(shift=5.0)
    assert sum(float(f["amount"]) for f in richer) > 4 * sum(float(f["amount"]) for f in rows)
