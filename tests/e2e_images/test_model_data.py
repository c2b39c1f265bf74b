from itertools import islice

from e2e.model import data


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


def test_the_new_channel_is_in_live_traffic_only() -> None:
    known = [*data.training(), *data.holdout()]
    assert not any(row.features["channel"] == data.NEW_CHANNEL for row in known)
    live = list(islice(data.live(), 5000))
    share = sum(features["channel"] == data.NEW_CHANNEL for features in live) / len(live)
    assert 0.05 < share < 0.08
