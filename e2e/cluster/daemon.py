"""Long-running processes: started with a log and a pid file, ended by exactly that pid."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import ssl
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.paths import ClusterError

STEP = 0.1  # seconds between two polls at something that is about to be ready


@dataclass(frozen=True, slots=True)
class Daemon:
    """A process known by its name: `NAME.pid` in `run`, `NAME.log` in `logs`."""

    name: str
    run: Path
    logs: Path

    @property
    def log(self) -> Path:
        """What the process printed, of this and earlier starts."""
        return self.logs / f"{self.name}.log"

    def start(self, argv: Sequence[str | Path], env: Mapping[str, str] | None = None) -> bool:
        """Start it unless it is alive; True if it was started now."""
        if self.pid():
            return False
        self.run.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [str(word) for word in argv],
                env={**os.environ, **(env or {})},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        # Its owner here only watches the pid; without this, Popen warns when it is collected.
        process.returncode = 0
        self._file.write_text(f"{process.pid} {started_at(process.pid)}")
        return True

    def pid(self) -> int:
        """Its pid, or 0 if it does not live. A recycled pid is told apart by its start time."""
        try:
            pid, started = self._file.read_text().split()
        except (OSError, ValueError):
            return 0
        return int(pid) if started_at(int(pid)) == started != "" else 0

    def stop(self, patience: float = 5) -> None:
        """End it: asked first, killed after `patience` seconds. Returns once it is gone."""
        if pid := self.pid():
            end(pid, patience)
        self._file.unlink(missing_ok=True)

    def wait(self, ready: Callable[[], bool], seconds: float = 60) -> None:
        """Return once `ready` says so.

        Raises ClusterError with the end of the log if the process dies or time runs out.
        """
        until = time.monotonic() + seconds
        while not ready():
            if not self.pid():
                raise ClusterError(f"{self.name} ended instead of getting ready:\n{self.tail()}")
            if time.monotonic() > until:
                raise ClusterError(
                    f"{self.name} is not ready after {seconds:.0f} s:\n{self.tail()}"
                )
            time.sleep(STEP)

    def tail(self, lines: int = 20) -> str:
        """The end of its log, and where the rest is."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join([*text.splitlines()[-lines:], f"(whole log: {self.log})"])

    @property
    def _file(self) -> Path:
        return self.run / f"{self.name}.pid"


def started_at(pid: int) -> str:
    """When `pid` started, in clock ticks since boot; empty if it is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    # The name in parentheses may hold anything, so count from its end.
    fields = text.rpartition(")")[2].split()
    if fields[0] in "ZX":
        reap(pid)
        return ""
    return fields[19]


def reap(pid: int) -> None:
    """Collect `pid` if it is a dead child of ours; anyone else's parent does that itself."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def end(pid: int, patience: float) -> None:
    """TERM, and KILL after `patience` seconds; returns once the process is gone."""
    started = started_at(pid)
    until = time.monotonic() + patience
    number = signal.SIGTERM
    while started and started_at(pid) == started:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        while started_at(pid) == started and time.monotonic() < until:
            time.sleep(0.02)
        number, until = signal.SIGKILL, time.monotonic() + 5


def answers(url: str, ca: Path | None = None) -> bool:
    """Whether a GET of `url` gives 200. With `https` and no `ca`, any certificate will do.

    Not urllib: a proxy configured for the machine must never see these addresses.
    """
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    connection: http.client.HTTPConnection
    if scheme == "https":
        context = ssl.create_default_context(cafile=ca) if ca else ssl._create_unverified_context()
        connection = http.client.HTTPSConnection(host, timeout=2, context=context)
    else:
        connection = http.client.HTTPConnection(host, timeout=2)
    try:
        connection.request("GET", f"/{path}")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
