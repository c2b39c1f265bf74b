"""The running operator asks as much for many objects as for few, by what Prometheus itself counts.

`python -m bench.fleet` proves the same for 500 objects, and prints what they cost.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fleet.objects import KPI, canaries_of
from tests.fleet.stage import MEASURED, Cost, Fleet, Pace

pytestmark = [pytest.mark.apiserver, pytest.mark.slow]
PACE = Pace(scrape=1, fast=1, live=2, drift=5)
OBSERVED = 7.0  # seconds, or more until there were so many polls of all objects:
POLLS = 2
FLEETS = (5, 50)
# The clock, the KPI of all objects, the distributions of all servers, and the self-check.
PACED = ("time()", KPI, "sum by (namespace, merit_arm, le) (label_replace(", "count by (")


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Cost]]:
    """What some seconds cost, by the size of the fleet; every fourth object is in its canary."""
    with Fleet(tmp_path_factory.mktemp("fleet"), PACE) as fleet:
        found = {}
        for objects in FLEETS:
            fleet.begin(objects)
            fleet.expose(objects)
            fleet.settle(2.0)
            found[objects] = fleet.observe(OBSERVED, POLLS)
            assert fleet.phases() == {
                "Canary 10%": len(canaries_of(objects)),
                "Live": objects - len(canaries_of(objects)),
            }
        fleet.wait(fleet.log_is_whole, "the log of queries is whole")
        yield found


@pytest.mark.parametrize("objects", FLEETS)
def test_every_poll_is_five_queries_however_many_objects_there_are(
    costs: dict[int, Cost], objects: int
) -> None:
    queries = costs[objects].queries
    # time(), one for each of three metrics, and whether the targets answer.
    assert set(queries.everybody) == set(queries.exposed) == {5}
    assert len(queries.everybody) >= POLLS and len(queries.exposed) >= POLLS


@pytest.mark.parametrize("objects", FLEETS)
def test_all_other_queries_have_a_pace_of_their_own(costs: dict[int, Cost], objects: int) -> None:
    others = costs[objects].queries.others
    assert all(text.startswith(PACED) for text in others), others
    assert max(others.values()) <= 1 + costs[objects].lasted / PACE.drift, others


@pytest.mark.parametrize("objects", FLEETS)
def test_polling_a_fleet_reads_nothing_from_the_api_server(
    costs: dict[int, Cost], objects: int
) -> None:
    calls = costs[objects].calls
    assert set(calls) <= {MEASURED}  # the evidence of canaries, a word that changed
    assert calls.total() <= objects + (costs[objects].lasted + 1) * len(canaries_of(objects))
