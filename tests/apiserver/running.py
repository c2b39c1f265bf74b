"""`merit run` as its image starts it, on one stage: real watches, cache, queue, Lease and writes.

Nobody listens where its Prometheus should be, so nothing it does rests on a measurement.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from tests.apiserver.stage import Stage
from tests.conftest import ROOT
from tests.world.manifests import SETTINGS


@contextlib.asynccontextmanager
async def running(stage: Stage, directory: Path) -> AsyncIterator[None]:
    """The installed operator leads and has looked at the object; it is asked to stop at the end."""
    settings = SETTINGS | {"watch": {"namespaces": [stage.key.namespace]}}
    (directory / "config.yaml").write_text(json.dumps(settings))
    with (directory / "operator.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "merit", "run", "--config", directory / "config.yaml",
            "--listen", "127.0.0.1:0", "--namespace", stage.key.namespace,
            env={
                **os.environ,
                "KUBECONFIG": str(stage.plane.kubeconfig),
                "PYTHONPATH": str(ROOT / "operator"),
            },
            stdout=log,
            stderr=log,
        )  # fmt: skip
    try:
        await soon(lambda: unmeasured(stage), 90.0)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def unmeasured(stage: Stage) -> bool:
    """Status says that nothing is measured: whoever wrote that asked the Prometheus of above."""
    found = {c["type"]: c["status"] for c in stage.status.get("conditions", ())}
    return found.get("MetricsAvailable") == "False"


async def soon(true: Callable[[], bool], seconds: float) -> None:
    """Wait until it is so. Raises TimeoutError after so many real seconds."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)
