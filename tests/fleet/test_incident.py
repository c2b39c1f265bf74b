"""Many canaries at once on a real API server and a real Prometheus: relief is never held.

Times are those of Prometheus' samples, as the operator puts them on record. `CANARIES=300` in the
environment takes a quarter of an hour on two cores; `bench.incident` has the same for more canaries
than this stage carries.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest

from tests.fleet.stage import Fleet, Pace

pytestmark = [pytest.mark.apiserver, pytest.mark.slow]
PACE = Pace(scrape=10, fast=5, live=15, drift=300)
CANARIES = int(os.environ.get("CANARIES", "60"))
FEW = range(CANARIES * 37 // 300)  # 12 % of all
MANY = range(CANARIES * 40 // 300, CANARIES * 120 // 300)  # 30 % of those that are left
AT_ONCE = 2 * PACE.scrape + 2 * PACE.fast  # seconds
RPS = 10.0
PATIENCE = 1800.0  # seconds, on a busy machine


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """All in their canary, in three namespaces, and measured for a while."""
    directory = tmp_path_factory.mktemp("incident")
    with Fleet(directory, PACE, namespaces=("fleet", "fleet-b", "fleet-c")) as stage:
        stage.begin(CANARIES, PATIENCE)
        stage.expose(CANARIES, PATIENCE, canaries=range(CANARIES), rps=RPS)
        stage.observe(4 * PACE.scrape)
        yield stage


def test_an_eighth_of_all_canaries_that_fails_loses_its_traffic_at_once_and_is_rejected(
    fleet: Fleet,
) -> None:
    fleet.fail(FEW)
    fleet.wait(lambda: fleet.split() == CANARIES - len(FEW), "without traffic")
    fleet.wait(lambda: sum("rejected" in s for s in fleet.statuses().values()) == len(FEW), "")
    statuses = fleet.statuses()
    for number in FEW:
        (rejected,) = statuses[f"model-{number:04d}"]["rejected"]
        assert rejected["reason"] == "DeadOnArrival"
        assert lasted(rejected["evidence"]) <= AT_ONCE
    assert fleet.operator.metrics()["merit_fleet_incident"] == 0.0


def test_a_third_of_all_canaries_that_fails_loses_its_traffic_at_once_and_none_is_rejected(
    fleet: Fleet,
) -> None:
    fleet.fail(MANY)
    fleet.wait(lambda: fleet.split() == CANARIES - len(FEW) - len(MANY), "without traffic")
    fleet.observe(2 * PACE.live)
    statuses = fleet.statuses()
    for number in MANY:
        status = statuses[f"model-{number:04d}"]
        assert "rejected" not in status and status["phase"] == "Withdrawn"
        (rollout,) = (stage for stage in status["flow"] if stage["stage"] == "Rollout")
        assert rollout["reason"] == "FleetIncident" and status["candidate"]["excused"]
        assert lasted(rollout["message"]) <= AT_ONCE
    assert fleet.operator.metrics()["merit_fleet_incident"] == 1.0
    assert fleet.split() == CANARIES - len(FEW) - len(MANY)


def lasted(evidence: str) -> float:
    """For how many seconds requests failed, as it says."""
    found = re.search(r"requests failed for (\d+)s", evidence)
    assert found, evidence
    return float(found[1])
