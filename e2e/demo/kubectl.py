"""kubectl as the demo uses it: one command, its answer, and deadlines instead of hope."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

EVERY = 1.5  # seconds between two polls
PATIENCE = 60  # seconds that one command may take


class DemoError(Exception):
    """Something did not happen: one sentence that says what, and what was seen instead."""


class Stopped(Exception):
    """Somebody else's part of the demo went wrong, or Ctrl-C: nothing is asked any more."""


class Kubectl:
    """kubectl on the demo's cluster. `command` is the program and the options it always gets."""

    def __init__(self, command: Sequence[str]) -> None:
        self.command = tuple(command)
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Whoever asks from now on, in whatever thread, gets Stopped."""
        self._stopped.set()

    def __call__(self, *arguments: str, given: str = "", patience: float = PATIENCE) -> str:
        """What it prints. `given` is its stdin. Raises DemoError with its own words, or Stopped."""
        if self._stopped.is_set():
            raise Stopped
        shown = f"kubectl {' '.join(arguments)}"
        try:
            done = subprocess.run(
                [*self.command, *arguments],
                input=given,
                capture_output=True,
                text=True,
                timeout=patience,
            )
        except subprocess.TimeoutExpired as late:
            raise DemoError(f"{shown} did not answer within {patience:.0f} s") from late
        if done.returncode:
            raise DemoError(f"{shown}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def json(self, *arguments: str) -> dict[str, Any]:
        """What it prints with --output=json."""
        found: dict[str, Any] = json.loads(self(*arguments, "--output=json"))
        return found


def wait_for(what: str, seconds: float, look: Callable[[], T | None]) -> T:
    """The first answer of `look` that is not None; DemoError names `what` after `seconds`."""
    end = time.monotonic() + seconds
    trouble = ""
    while True:
        try:
            if (found := look()) is not None:
                return found
            trouble = ""
        except DemoError as error:
            trouble = f" ({error})"
        if time.monotonic() >= end:
            raise DemoError(f"{what} did not happen within {seconds:.0f} s{trouble}")
        time.sleep(EVERY)
