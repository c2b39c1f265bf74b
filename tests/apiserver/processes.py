"""The operator as a process: the real one, or one replica of it that only prints what it gets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from e2e.cluster.controlplane import ControlPlane
from tests.apiserver.crds import ROOT
from tests.apiserver.stage import Stage
from tests.world.manifests import SETTINGS

PATIENCE = 300.0  # seconds; only what never happens takes so long


def environment(plane: ControlPlane) -> dict[str, str]:
    """The variables of a process that imports merit and is an admin of the API server."""
    paths = {"KUBECONFIG": str(plane.kubeconfig), "PYTHONPATH": str(ROOT / "operator")}
    return os.environ | paths


async def eventually(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Wait until it is so; TimeoutError if it never is."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def operator_running(stage: Stage, directory: Path) -> AsyncIterator[None]:
    """`merit run` as its image starts it, on the stage, from its first pass on to the block's end.

    No Prometheus listens where its configuration says, so nothing rests on a measurement.
    """
    settings = SETTINGS | {"watch": {"namespaces": [stage.key.namespace]}}
    (directory / "config.yaml").write_text(json.dumps(settings))
    with (directory / "operator.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "merit", "run", "--config", directory / "config.yaml",
            "--listen", "127.0.0.1:0", "--namespace", stage.key.namespace,
            env=environment(stage.plane), stdout=log, stderr=log,
        )  # fmt: skip
    try:
        await eventually(lambda: _reports_no_metrics(stage))
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _reports_no_metrics(stage: Stage) -> bool:
    """Status says that Prometheus does not answer, so that process has written it."""
    conditions = {c["type"]: c["status"] for c in stage.status.get("conditions", ())}
    return conditions.get("MetricsAvailable") == "False"


class Replica:
    """A process of `operator_process.py`, by its identity; `out` is what it prints."""

    def __init__(
        self, plane: ControlPlane, directory: Path, identity: str, config: str = "gatewayAPI: false"
    ) -> None:
        self.identity = identity
        file = directory / f"{identity}.yaml"
        file.write_text(config)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port: int = free.getsockname()[1]
        self.out = directory / f"{identity}.out"
        self._url = f"http://127.0.0.1:{port}"
        script = ROOT / "tests" / "apiserver" / "operator_process.py"
        with self.out.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, script, file, identity, str(port)],
                stdout=out,
                stderr=subprocess.STDOUT,
                env=environment(plane),
            )

    def get(self, path: str) -> tuple[int, str]:
        """Status code and body of its own HTTP server; (0, "") while nothing listens."""
        try:
            with urllib.request.urlopen(self._url + path, timeout=60) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def printed(self, line: str) -> bool:
        """Whether it has printed that."""
        return line in self.out.read_text()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def ended(self) -> bool:
        """Whether the process is gone."""
        return self.process.poll() is not None

    def kill(self) -> None:
        """End it at once, if it still runs."""
        if not self.ended():
            self.process.kill()
        self.process.wait()


def lease(plane: ControlPlane, namespace: str = "default") -> dict[str, Any]:
    """The spec of the Lease; empty if there is none."""
    text = plane.kubectl(
        "get", "lease", "merit", "-n", namespace, "-o", "json", "--ignore-not-found"
    )
    spec: dict[str, Any] = json.loads(text)["spec"] if text else {}
    return spec


def holder(plane: ControlPlane) -> str:
    """The identity of the leader, "" without one."""
    return lease(plane).get("holderIdentity") or ""
