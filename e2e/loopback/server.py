"""One server process on a free port, from `with` to its end."""

from __future__ import annotations

import os
import socket
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from e2e.cluster.daemon import Daemon, answers

ADDRESS = "127.0.0.1"


class Server(ABC):
    """A program that serves HTTP. `directory` holds its configuration, data and log, and stays.

    It ends with the `with`, and with the process that started it, even if that is killed.
    """

    name = ""
    ready = "/-/ready"

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self.port = _free_port()
        self.url = f"http://{ADDRESS}:{self.port}"
        self._daemon = Daemon(self.name, self.directory, self.directory)

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """Program and flags."""

    def start(self) -> None:
        """Start it, or start it again, and wait until it is ready. ClusterError if it is not."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._daemon.stop()
        # The environment may name a proxy, which must never see these addresses.
        env = {key: "" for key in os.environ if key.lower().endswith("_proxy")}
        argv = ["setpriv", "--pdeathsig", "KILL", "--", *self.command()]
        self._daemon.start(argv, env)
        self._daemon.wait(lambda: answers(self.url + self.ready))

    def stop(self) -> None:
        """End it by its pid."""
        self._daemon.stop(patience=5)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _free_port() -> int:
    with socket.create_server((ADDRESS, 0)) as held:
        port: int = held.getsockname()[1]
        return port
