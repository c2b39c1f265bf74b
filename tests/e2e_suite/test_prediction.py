"""The forecast that the long suite prints is the real command's, and readable."""

from __future__ import annotations

import pytest

from e2e.demo.model import example
from e2e.suite.prediction import predicted, sentence


@pytest.mark.parametrize(
    ("version", "defect", "turns", "signal"),
    [("failing", "errors=5%", False, "errors"), ("leaking", "p99=100x", True, "latency/p99")],
)
def test_the_forecast_is_for_the_manifest_as_the_suite_applies_it(version, defect, turns, signal):
    forecast = predicted(version, rps=67, defect=defect, turns=turns, runs=3)
    assert forecast["name"] == example(version)["metadata"]["name"]
    assert (forecast["rps"], forecast["scrape"]) == (67.0, 5.0)
    assert not forecast["dispersionMeasured"] and forecast["stable"]["errors"] == 0
    # The shortened waiting is in the manifest: a healthy version takes minutes, not twenty.
    assert forecast["healthy"]["promotedAfter"] < 600
    (cell,) = forecast["defects"]
    assert (cell["runs"], cell["rolledBack"], cell["signal"]) == (3, 3, signal)
    assert cell["badRequests"] > 0 and "caught in 100% of rollouts" in sentence(forecast)


def cell(**more):
    return {"rps": 67.0, "defects": [{"name": "errors 5%", "runs": 40, **more}]}


def test_a_forecast_is_one_sentence_with_chance_time_and_price():
    found = sentence(cell(rolledBack=39, caughtAfter=55.0, badRequests=12.04))
    assert found == (
        "merit simulate expects of errors 5% at 67 requests/s: caught in 98% of rollouts, "
        "after 55s in the median; 12.0 bad requests each (40 simulated)"
    )


def test_what_is_never_caught_has_no_time():
    found = sentence(cell(rolledBack=0, caughtAfter=None, badRequests=2400))
    assert found.endswith("caught in 0% of rollouts; 2400.0 bad requests each (40 simulated)")
