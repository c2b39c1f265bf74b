"""The running operator asks as much for many objects as for few, by what Prometheus itself counts.

`python -m bench.fleet` holds the same of 500, and tells what they cost.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fleet.objects import KPI, canaries_of
from tests.fleet.stage import MEASURED, Fleet, Rhythm, Seen

pytestmark = pytest.mark.apiserver
RHYTHM = Rhythm(scrape=1, fast=1, live=2, drift=5)
WATCHED = 7.0  # seconds, or more until there were so many looks at everybody:
LOOKS = 2
FLEETS = (5, 50)
# The clock, everybody's KPI, distributions of all servers, and the self-check.
PACED = ("time()", KPI, "sum by (namespace, merit_arm, le) (label_replace(", "count by (")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Seen]]:
    """What some seconds brought, by the size of the fleet; every fourth object is in its canary."""
    with Fleet(tmp_path_factory.mktemp("fleet"), RHYTHM) as fleet:
        told = {}
        for objects in FLEETS:
            fleet.begin(objects)
            fleet.expose(objects)
            fleet.settle(2.0)
            told[objects] = fleet.watch(WATCHED, LOOKS)
            assert fleet.phases() == {
                "Canary 10%": len(canaries_of(objects)),
                "Live": objects - len(canaries_of(objects)),
            }
        assert fleet.answered() == fleet.noted(), "the log of queries must be whole"
        yield told


@pytest.mark.parametrize("objects", FLEETS)
def test_every_look_is_five_queries_however_many_objects_there_are(
    seen: dict[int, Seen], objects: int
) -> None:
    asked = seen[objects].asked
    # time(), one for each of three metrics, and whether the targets answer.
    assert set(asked.everybody) == set(asked.exposed) == {5}
    assert len(asked.everybody) >= LOOKS and len(asked.exposed) >= LOOKS


@pytest.mark.parametrize("objects", FLEETS)
def test_what_is_asked_beside_the_looks_is_asked_at_its_own_pace(
    seen: dict[int, Seen], objects: int
) -> None:
    beside = seen[objects].asked.beside
    assert all(text.startswith(PACED) for text in beside), beside
    assert max(beside.values()) <= 1 + seen[objects].lasted / RHYTHM.drift, beside


@pytest.mark.parametrize("objects", FLEETS)
def test_looking_at_a_fleet_reads_nothing_from_the_api_server(
    seen: dict[int, Seen], objects: int
) -> None:
    calls = seen[objects].calls
    assert set(calls) <= {MEASURED}  # the evidence of canaries, a word that changed
    assert calls.total() <= objects + (seen[objects].lasted + 1) * len(canaries_of(objects))
