"""`merit report`: turns a framework's file into the report of the run, in the evaluator's pod.

The operator never reads the file: what is wrong with it is reported as a reason in the
termination message. The container has no token.
"""

from __future__ import annotations

import argparse
import errno
import os
import resource
import signal
import stat
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path

from merit.cli.command import Commands

MAX_FILE = 32 * 2**20
MAX_FILES = 10_000  # that are listed for a path with a *
SECONDS = 60
MEMORY = 224 * 2**20  # below the container's 256 MiB, so that a reason can still be written


def add(commands: Commands) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "report", help="turn a framework's file into a report (used in evaluation pods)"
    )
    command.add_argument("--format", required=True, help="MLflow, Evidently, LmEval, Sklearn …")
    command.add_argument(
        "--path", required=True, help="file below $MERIT_REPORT_DIR; * is a wildcard"
    )
    command.add_argument("--metric", action="append", default=[], metavar="NAME=POINTER")
    command.add_argument("--keep", action="append", default=[], metavar="METRIC")
    command.add_argument("--keep-slices", action="append", default=[], metavar="GLOB")
    command.add_argument("--out", default="/dev/termination-log", type=Path)
    command.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Write the report, or the reason why there is none. Returns 0 in both cases."""
    from merit.cli.adapters.summary import error_report, summarise
    from merit.policy.gates.strict_json import Refusal

    run_identity = {
        "revision": os.environ.get("MERIT_REVISION", ""),
        "nonce": os.environ.get("MERIT_NONCE", ""),
    }
    _limit()
    try:
        text = summarise(
            read(Path(os.environ.get("MERIT_REPORT_DIR", ".")), chosen.path),
            framework=chosen.format,
            pointers=dict(map(_pointer, chosen.metric)),
            keep=chosen.keep,
            keep_slices=chosen.keep_slices,
            **run_identity,
        )
    except Refusal as refused:
        text = error_report(refused, **run_identity)
    except (MemoryError, TimeoutError) as error:
        limit = "more than 256 MiB" if isinstance(error, MemoryError) else f"over {SECONDS} s"
        too_large = Refusal("ReportTooLarge", f"the file takes {limit} to read")
        text = error_report(too_large, **run_identity)
    chosen.out.write_text(text)
    print(text)
    return 0


def _pointer(text: str) -> tuple[str, str]:
    name, _, path = text.partition("=/")
    return name, "/" + path


def _limit() -> None:
    """Limit time and memory, so that too much of them raises and the container is not killed."""

    def on_alarm(_signal: int, _frame: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(SECONDS)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, hard))


def read(directory: Path, path: str) -> bytes:
    """The one file that the path names. No symbolic link is followed. Raises Refusal."""
    from merit.policy.gates.strict_json import Refusal, malformed, plain

    existing = sorted(islice(_files(directory), MAX_FILES))
    there = f"there is {plain(', '.join(existing), 200)}" if existing else "nothing was written"
    named = [name for name in existing if fnmatchcase(name, path)] if "*" in path else [path]
    if len(named) > 1:
        raise malformed(f"{len(named)} files match {path}: {plain(', '.join(named), 200)}")
    if not named:
        raise Refusal("ReportMissing", f"no file is {path}; {there}")
    (name,) = named
    try:
        with os.fdopen(_open(directory, name), "rb") as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                raise malformed(f"{name} is not a file")
            if facts.st_size > MAX_FILE:
                size = f"{facts.st_size / 2**20:,.0f} MiB"
                raise Refusal("ReportTooLarge", f"{name} has {size}, at most 32 MiB are read")
            return file.read(MAX_FILE)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise malformed(f"{name} is behind a symbolic link: write the file itself") from None
        if error.errno == errno.EISDIR:
            raise malformed(f"{name} is not a file") from None
        why = f"{name} cannot be read: {error.strerror}"
        if error.errno == errno.ENOENT:
            why = f"no file is {name}; {there}"
        raise Refusal("ReportMissing", why) from None


def _open(directory: Path, name: str) -> int:
    """A file descriptor; each part of the path is opened in turn, none through a symbolic link."""
    at = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    parts = [part for part in name.split("/") if part not in ("", ".", "..")]
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | (0 if last else os.O_DIRECTORY)
        try:
            following = os.open(part, flags, dir_fd=at)
        finally:
            os.close(at)
        at = following
    return at


def _files(directory: Path) -> Iterator[str]:
    """The files below the directory, as relative paths; links are not followed."""
    for root, _, files in os.walk(directory, followlinks=False):
        for name in files:
            yield Path(root, name).relative_to(directory).as_posix()
