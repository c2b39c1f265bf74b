"""`merit report`: in the evaluator's pod, a framework's file becomes the report of the run.

It has no token and no network to use. Whatever is wrong with the file becomes one reason in the
termination message: the operator never reads the file.
"""

from __future__ import annotations

import argparse
import errno
import os
import resource
import signal
import stat
from fnmatch import fnmatchcase
from pathlib import Path

from merit.commands.command import Commands

MAX_FILE = 32 * 2**20
MAX_FILES = 10_000  # that are looked at for a path with a *
SECONDS = 60
MEMORY = 224 * 2**20  # below the container's 256 MiB, so that it can still say why


def add(commands: Commands) -> None:
    """Declare the command."""
    command = commands.add_parser("report", help="read a framework's file (in the evaluation pod)")
    command.add_argument("--format", required=True, help="MLflow, Evidently, LmEval, Sklearn …")
    command.add_argument("--path", required=True, help="below $MERIT_REPORT_DIR; * matches")
    command.add_argument("--metric", action="append", default=[], metavar="NAME=POINTER")
    command.add_argument("--keep", action="append", default=[], metavar="METRIC")
    command.add_argument("--keep-slices", action="append", default=[], metavar="GLOB")
    command.add_argument("--out", default="/dev/termination-log", type=Path)
    command.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Write the report, or the reason why there is none. Returns 0 for both: it is told."""
    from merit.adapters.summary import error, summarise
    from merit.policy.evaluation.strict import Refusal

    binding = {
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
            **binding,
        )
    except Refusal as refused:
        text = error(refused, **binding)
    except MemoryError:
        text = error(
            Refusal("ReportTooLarge", "the file takes more than 256 MiB to read"), **binding
        )
    except TimeoutError:
        text = error(
            Refusal("ReportTooLarge", f"the file takes over {SECONDS} s to read"), **binding
        )
    chosen.out.write_text(text)
    print(text)
    return 0


def _pointer(text: str) -> tuple[str, str]:
    name, _, way = text.partition("=/")
    return name, "/" + way


def _limit() -> None:
    """Time and memory end in a sentence, not in a kill."""

    def late(_signal: int, _frame: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, hard))


def read(directory: Path, path: str) -> bytes:
    """The one file that the path names; no link is followed. Raises Refusal."""
    from merit.policy.evaluation.strict import Refusal, malformed, plain

    there = sorted(_files(directory))
    named = [name for name in there if fnmatchcase(name, path)] if "*" in path else [path]
    if len(named) > 1:
        raise malformed(f"{len(named)} files are {path}: {plain(', '.join(named), 200)}")
    if not named:
        raise Refusal("ReportMissing", f"no file is {path}; {_list(there)}")
    try:
        with os.fdopen(_open(directory, named[0]), "rb") as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                raise malformed(f"{named[0]} is no file")
            if facts.st_size > MAX_FILE:
                size = f"{facts.st_size / 2**20:,.0f} MiB"
                raise Refusal("ReportTooLarge", f"{named[0]} has {size}, at most 32 MiB are read")
            return file.read(MAX_FILE)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise malformed(
                f"{named[0]} is behind a symbolic link: write the file itself"
            ) from None
        if error.errno == errno.EISDIR:
            raise malformed(f"{named[0]} is no file") from None
        if error.errno == errno.ENOENT:
            raise Refusal("ReportMissing", f"no file is {named[0]}; {_list(there)}") from None
        raise Refusal("ReportMissing", f"{named[0]} cannot be read: {error.strerror}") from None


def _open(directory: Path, name: str) -> int:
    """A descriptor of the file, each part of its path opened in turn, and none through a link."""
    at = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    parts = [part for part in name.split("/") if part not in ("", ".", "..")]
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        how = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | (0 if last else os.O_DIRECTORY)
        try:
            following = os.open(part, how, dir_fd=at)
        finally:
            os.close(at)
        at = following
    return at


def _files(directory: Path) -> set[str]:
    """The names of everything below, links not followed."""
    found: set[str] = set()
    for root, _, files in os.walk(directory, followlinks=False):
        for name in files:
            found.add(Path(root, name).relative_to(directory).as_posix())
            if len(found) >= MAX_FILES:
                return found
    return found


def _list(names: list[str]) -> str:
    from merit.policy.evaluation.strict import plain

    return f"there is {plain(', '.join(names), 200)}" if names else "nothing was written"
