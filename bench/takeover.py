"""How soon another replica leads, and how soon a lost node gets no traffic: on a real API server.

    python -m bench.takeover

Promised are 3 s after SIGTERM, 15 s after a kill, and 1 s until the route sends nothing to a
candidate whose node is lost. Exit code 1 if one of them takes longer, as on a busy machine.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from e2e.cluster.controlplane import ControlPlane
from merit.kube.client import Cluster
from tests.apiserver.crds import define_gateway_api, define_merit
from tests.apiserver.processes import Replica, eventually, holder, operator_running
from tests.apiserver.stage import Stage, canary

SIGTERM, KILL, NODE_LOSS = 3.0, 15.0, 1.0  # seconds
POLL = 0.5  # seconds that asking for the Lease may take


async def seconds_until(condition: Callable[[], bool]) -> float:
    """How long it takes until it is so."""
    began = time.monotonic()
    await eventually(condition)
    return time.monotonic() - began


async def takeover(plane: ControlPlane, folder: Path, number: signal.Signals) -> float:
    """Seconds from the signal to the leader until the standby holds the Lease."""
    first, second = (Replica(plane, folder, f"{number.name}-{i}") for i in (1, 2))
    try:
        await eventually(lambda: bool(holder(plane)))
        await eventually(lambda: all(r.get("/readyz")[0] == 200 for r in (first, second)))
        leader, standby = (first, second) if holder(plane).endswith("-1") else (second, first)
        leader.signal(number)
        return await seconds_until(lambda: holder(plane) == standby.identity)
    finally:
        for replica in (first, second):
            replica.kill()
        plane.kubectl("delete", "lease", "merit", "--ignore-not-found")


async def node_loss(plane: ControlPlane, folder: Path) -> float:
    """Seconds from the API server's word that the node is lost until the route is changed."""
    os.environ["KUBECONFIG"] = str(plane.kubeconfig)
    plane.kubectl("create", "namespace", "node-loss")
    cluster = await Cluster.connect()
    stage = Stage(plane, cluster, "node-loss")
    try:
        nodes = await canary(stage, 50)
        async with operator_running(stage, folder):
            nodes.lose("c")
            return await seconds_until(lambda: stage.sends_all_to("good"))
    finally:
        stage.api.close()
        await cluster.close()


async def measure(folder: Path) -> int:
    """Print the table. 1 if a promise is not kept."""
    with ControlPlane(folder / "plane") as plane:
        define_merit(plane)
        define_gateway_api(plane)
        rows = [
            ("the standby leads after SIGTERM", await takeover(plane, folder, signal.SIGTERM),
             SIGTERM + POLL),
            ("the standby leads after a kill", await takeover(plane, folder, signal.SIGKILL),
             KILL + POLL),
            ("a lost node has no traffic", await node_loss(plane, folder), NODE_LOSS),
        ]  # fmt: skip
    for name, seconds, promised in rows:
        print(f"{name:34} {seconds:5.1f} s of {promised:.1f} s")
    return int(any(seconds > promised for _, seconds, promised in rows))


def main() -> int:
    """Returns the exit code."""
    with tempfile.TemporaryDirectory(prefix="merit-takeover-") as folder:
        return asyncio.run(measure(Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
