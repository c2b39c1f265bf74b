"""Applies what the repository declares: at every new commit, and again now and then.

What a GitOps controller does, in its smallest form: server-side apply with an account of its own,
by force, and nothing that Git does not say.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from e2e.gitops.git import BRANCH, GitError, clone, git

EVERY = 5.0  # seconds between two polls at the repository
AGAIN = 60.0  # seconds after which the same commit is applied again


def newest(url: str) -> str:
    """The id of the newest commit."""
    return git("ls-remote", url, f"refs/heads/{BRANCH}").split()[0]


def apply(url: str, namespace: str) -> None:
    """kubectl apply of every manifest of the newest commit. Raises GitError with its words."""
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch, "tree")
        clone(url, tree)
        command = ["kubectl", "-n", namespace, "apply", "--server-side", "--force-conflicts"]
        done = subprocess.run(
            [*command, "--field-manager=gitops", "-f", str(tree)], capture_output=True, text=True
        )
    if done.returncode:
        raise GitError(done.stderr.strip())
    print(done.stdout.strip(), flush=True)


def main() -> None:
    """For ever; GIT_URL holds address and password, from a Secret."""
    parser = argparse.ArgumentParser(prog="python -m e2e.gitops.applier", description=__doc__)
    parser.add_argument("--namespace", required=True)
    asked = parser.parse_args()
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    url, applied, at = os.environ["GIT_URL"], "", float("-inf")
    while not over.wait(EVERY):
        try:
            commit = newest(url)
            if commit != applied or time.monotonic() - at > AGAIN:
                apply(url, asked.namespace)
                applied, at = commit, time.monotonic()
        except (GitError, OSError, IndexError) as error:
            print(f"not applied: {error}", flush=True)


if __name__ == "__main__":
    main()
