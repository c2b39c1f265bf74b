"""Git by its own program, without a shell and without anything of the machine's configuration."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

BRANCH = "main"


class GitError(Exception):
    """What git said."""


def git(*arguments: str, at: Path | None = None, given: str = "") -> str:
    """What `git ARGUMENTS` prints, run in the directory `at`. Raises GitError."""
    environment = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }
    done = subprocess.run(
        ["git", *arguments], cwd=at, env=environment, input=given, capture_output=True, text=True
    )
    if done.returncode:
        # Not the whole command: an address may hold a password.
        raise GitError(f"git {_verb(arguments)}: {done.stderr.strip()}")
    return done.stdout


def _verb(arguments: tuple[str, ...]) -> str:
    return next((word for word in arguments if not word.startswith("-") and "=" not in word), "")


def clone(url: str, into: Path) -> None:
    """The newest commit of the branch."""
    git("clone", "--quiet", "--depth=1", f"--branch={BRANCH}", url, str(into))


def commit(at: Path, author: str, message: str, *, into: Path | None = None) -> str:
    """Commit everything that changed in the work tree, of its own repository or of `into`.

    Returns the commit's id.
    """
    email = f"{author}@example.com"
    who = ("-c", f"user.name={author}", "-c", f"user.email={email}")
    where = (f"--git-dir={into}", f"--work-tree={at}") if into else ()
    git(*where, "add", "--all", at=at)
    git(*where, *who, "commit", "--quiet", "--message", message, at=at)
    return git(*where, "rev-parse", "HEAD", at=at).strip()
