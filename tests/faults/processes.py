"""The operator as processes: started by one fork server, killed by their pids."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.apiserver.crds import ROOT


class OperatorProcesses:
    """Starts and kills operator processes. One leads; all belong to one fork server."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.operator_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT}"},
        )

    def start(
        self, kubeconfig: Path, config: Path, log: Path, planted: tuple[str, ...]
    ) -> OperatorProcess:
        """A new process."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port: int = free.getsockname()[1]
        order = {
            "kubeconfig": str(kubeconfig), "config": str(config), "log": str(log),
            "listen": f"127.0.0.1:{port}", "namespace": "default", "planted": planted,
        }  # fmt: skip
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        return OperatorProcess(int(self._server.stdout.readline()), port)

    def close(self) -> None:
        """End all."""
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait(timeout=60)
        self._server.stdout.close()


@dataclass(frozen=True, slots=True)
class OperatorProcess:
    """One operator process, and the port of its probes."""

    pid: int
    port: int

    def alive(self) -> bool:
        """Whether it is still there."""
        return Path(f"/proc/{self.pid}").exists()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; it may have ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def memory(self) -> float:
        """MiB that it uses."""
        status = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return int(next(line for line in status if line.startswith("VmRSS:")).split()[1]) / 1024
