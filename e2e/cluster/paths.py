"""Where things are kept: what any clone may share in a cache, what one cluster owns in a state."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class ClusterError(Exception):
    """A sentence for the user: what went wrong and what to do about it."""


def cache_root() -> Path:
    """Built binaries and unpacked packages; safe to delete, minutes to rebuild."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "merit"


def state_root() -> Path:
    """What running clusters own: keys, sockets, databases, logs."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "merit"


def say(text: str) -> None:
    """One progress line. It goes to stderr: stdout belongs to what a command was asked for."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def locked(path: Path, waiting: str) -> Iterator[None]:
    """Hold the file lock `path`; says `waiting` when another process has it.

    The kernel drops such a lock with its owner, so a killed build or `up` blocks nobody.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(waiting)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
