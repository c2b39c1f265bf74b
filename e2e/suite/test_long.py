"""Many rollouts under load: no healthy one is rolled back, every bad one is, and cheaply.

Three objects at a time, 200 requests a second in all. 20 healthy rollouts without a rollback bound
the rate of false rollbacks to at most 14 % (95 %), no more than that: the stated rate is shown by
simulation, not here.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from e2e.demo.setting import Setting
from e2e.suite.place import Place
from e2e.suite.prediction import predicted

AT_ONCE, RATE = 3, 67  # objects, requests a second for each
HEALTHY, BAD = 20, 10
SHARE = 0.05  # of the customers' payments come by a channel that `failing` cannot take

pytestmark = pytest.mark.long


@dataclass(frozen=True, slots=True)
class Outcome:
    """One rollout, by the customers' count: how it ended, requests meanwhile, and failed ones."""

    phase: str
    total: int
    failed: int
    seconds: float


@pytest.fixture(scope="module")
def places(setting: Setting) -> Iterator[list[Place]]:
    found = [Place(setting.kubectl, setting.manifest, f"long-{n}") for n in range(AT_ONCE)]
    for place in found:
        place.begin()
    yield found
    for place in found:
        place.end()


def test_healthy_rollouts_are_never_rolled_back_and_bad_ones_always(places: list[Place]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda place: place.serve("good", rate=RATE, new_channel=SHARE), places))
        healthy = [o for found in pool.map(_healthy, places, _parts(HEALTHY)) for o in found]
        bad = [o for found in pool.map(_bad, places, _parts(BAD)) for o in found]
    _tell("healthy", healthy)
    _tell("5 % errors", bad)
    forecast = predicted("failing", rps=RATE, defect=f"errors={SHARE:.0%}", scrape="5s")
    print(f"predicted for 5 % errors: {forecast}")
    assert [outcome.phase for outcome in healthy] == ["Live"] * HEALTHY
    assert sum(outcome.failed for outcome in healthy) == 0, "a move of traffic failed requests"
    assert [outcome.phase for outcome in bad] == ["RolledBack"] * BAD


def _parts(count: int) -> list[int]:
    """`count` split over the objects."""
    return [count // AT_ONCE + (n < count % AT_ONCE) for n in range(AT_ONCE)]


def _healthy(place: Place, count: int) -> list[Outcome]:
    # New content each time; the model behind it is the same good one.
    return [
        place.outcome("better", {"model.version": f"better-{place.namespace}-{n}"})
        for n in range(count)
    ]


def _bad(place: Place, count: int) -> list[Outcome]:
    return [
        place.outcome("failing", {"model.version": f"failing-{place.namespace}-{n}"})
        for n in range(count)
    ]


def _tell(what: str, outcomes: list[Outcome]) -> None:
    failed = sorted(outcome.failed for outcome in outcomes)
    seconds = sorted(outcome.seconds for outcome in outcomes)
    print(
        f"{what}: {len(outcomes)} rollouts; bad requests {sum(failed)} in all, median "
        f"{statistics.median(failed):.0f}, most {failed[-1]}; median {statistics.median(seconds):.0f}s"
    )
