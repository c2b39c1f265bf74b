"""Hours of passes in minutes: what the operator's memory does meanwhile.

`python -m tests.faults --soak`: objects that serve, and some in their canary, are polled every
second; in production every fifteenth. Every eighth write meets a fault.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import time
import urllib.request
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.faults.moments import Write
from tests.faults.proxy import AS_IT_IS, Treatment
from tests.faults.run import Plan, Run
from tests.faults.scenarios import declare, live
from tests.faults.stage import FaultStage

OBJECTS = 12
WARM = 500  # passes until all caches have filled
PASSES = 2000  # of which each object has its share
SLOPE = 2.0  # MiB that memory may grow by in so many passes
FAULTS = (
    Treatment(forward=False, answer=503),
    Treatment(answer=0),
    Treatment(forward=False, answer=409),
)


def passes(port: int) -> float:
    """How many passes the operator has made."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as reply:
        families = text_string_to_metric_families(reply.read().decode())
    return sum(
        sample.value
        for family in families
        if family.name == "merit_reconciles"
        for sample in family.samples
    )


async def begin(stage: FaultStage, number: int) -> Run:
    """An object that serves."""
    run = stage.begin(Plan("promotion"), f"soak-{number:02d}")
    declare("good")(run)
    while not live("good")(run):
        await asyncio.sleep(0.2)
    return run


async def churn(stage: FaultStage, runs: list[Run]) -> None:
    """Versions come and go: each object is in a rollout again and again."""
    versions = ("better", "failing", "good", "inaccurate")
    for number in range(10**6):
        declare(versions[number // len(runs) % len(versions)])(runs[number % len(runs)])
        await asyncio.sleep(3.0)


def slope(points: list[tuple[float, float]]) -> float:
    """Least squares: MiB in PASSES passes."""
    n = len(points)
    x, y = sum(p for p, _ in points) / n, sum(m for _, m in points) / n
    over = sum((p - x) * (m - y) for p, m in points)
    return PASSES * over / sum((p - x) ** 2 for p, _ in points)


async def soak() -> int:
    """Print memory by passes, and its slope. Returns the exit code."""
    directory = Path(tempfile.mkdtemp(prefix="merit-soak-"))
    began, points = time.monotonic(), list[tuple[float, float]]()
    async with FaultStage(directory) as stage:
        runs = list(await asyncio.gather(*(begin(stage, n) for n in range(OBJECTS))))

        numbers = itertools.count()

        def script(write: Write) -> Treatment:
            number = next(numbers)
            return FAULTS[number // 8 % len(FAULTS)] if number % 8 == 7 else AS_IT_IS

        stage.proxy.script = script
        churning = asyncio.create_task(churn(stage, runs))
        done = 0.0
        while done < WARM + PASSES:
            await asyncio.sleep(2.0)
            stage.check()
            done = passes(stage.operator.port)
            if done >= WARM:
                points.append((done, stage.operator.memory()))
        churning.cancel()
        failed = stage.exceptions()
    grown = slope(points)
    hours = done / OBJECTS * 15 / 3600
    print(f"{done:.0f} passes of {OBJECTS} objects (at 15 s: {hours:.1f} hours each) "
          f"in {(time.monotonic() - began) / 60:.1f} minutes")  # fmt: skip
    print(f"memory {points[0][1]:.1f} -> {points[-1][1]:.1f} MiB, "
          f"slope {grown:+.2f} MiB in {PASSES} passes (at most {SLOPE})")  # fmt: skip
    print(*failed, sep="\n")
    return 1 if failed or grown > SLOPE else 0
