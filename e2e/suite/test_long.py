"""Many rollouts under load: no healthy one is rolled back, every bad one is, and cheaply.

Three objects at a time, 200 requests a second in all. 20 healthy rollouts without a rollback bound
the rate of false rollbacks to at most 14 % (95 %), no more than that: the stated rate is shown by
simulation, not here.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from e2e.demo.environment import Environment
from e2e.demo.model import phase, stable
from e2e.suite.prediction import predicted, sentence
from e2e.suite.workspace import Workspace

AT_ONCE, RATE = 3, 67  # objects, requests a second for each
HEALTHY, BAD = 20, 10
PATIENCE = 900  # seconds for one rollout
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
def places(environment: Environment) -> Iterator[list[Workspace]]:
    found = [
        Workspace(environment.kubectl, environment.manifest, f"long-{n}") for n in range(AT_ONCE)
    ]
    for workspace in found:
        workspace.begin()
    yield found
    for workspace in found:
        workspace.end()


def test_healthy_rollouts_are_never_rolled_back_and_bad_ones_always(
    places: list[Workspace],
) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(
            pool.map(
                lambda workspace: workspace.serve(
                    "good", rate=RATE, options=[f"--new-channel={SHARE}"]
                ),
                places,
            )
        )
        healthy = [o for found in pool.map(_healthy, places, _parts(HEALTHY)) for o in found]
        bad = [o for found in pool.map(_bad, places, _parts(BAD)) for o in found]
    _tell("healthy", healthy)
    _tell("5 % errors", bad)
    print(sentence(predicted("failing", rps=RATE, defect=f"errors={SHARE:.0%}")))
    assert [outcome.phase for outcome in healthy] == ["Live"] * HEALTHY
    assert sum(outcome.failed for outcome in healthy) == 0, "a move of traffic failed requests"
    assert [outcome.phase for outcome in bad] == ["RolledBack"] * BAD


def _parts(count: int) -> list[int]:
    """`count` split over the objects."""
    return [count // AT_ONCE + (n < count % AT_ONCE) for n in range(AT_ONCE)]


def _healthy(workspace: Workspace, count: int) -> list[Outcome]:
    # New content each time; the model behind it is the same good one.
    return [_rollout(workspace, "better", f"better-{n}") for n in range(count)]


def _bad(workspace: Workspace, count: int) -> list[Outcome]:
    return [_rollout(workspace, "failing", f"failing-{n}") for n in range(count)]


def _rollout(workspace: Workspace, version: str, label: str) -> Outcome:
    before, started = workspace.customers.now(), time.monotonic()
    workspace.model.apply(version, {"model.version": label})
    seen = workspace.model.until(
        f"the end of {label}",
        PATIENCE,
        lambda seen: (
            phase(seen) in ("RolledBack", "Rejected", "Withdrawn")
            or (phase(seen) == "Live" and stable(seen) == label)
        ),
    )
    took, after = time.monotonic() - started, workspace.settled()
    return Outcome(phase(seen), after.total - before.total, after.failed - before.failed, took)


def _tell(what: str, outcomes: list[Outcome]) -> None:
    failed = sorted(outcome.failed for outcome in outcomes)
    seconds = sorted(outcome.seconds for outcome in outcomes)
    print(
        f"{what}: {len(outcomes)} rollouts; bad requests {sum(failed)} in all, "
        f"{statistics.mean(failed):.1f} each, median {statistics.median(failed):.0f}, "
        f"most {failed[-1]}; median {statistics.median(seconds):.0f}s"
    )
