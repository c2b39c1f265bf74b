"""Commits another version of a model: two lines of its manifest change, and nothing else."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

from e2e.gitops.git import BRANCH, GitError, clone, commit, git

_MODEL = re.compile(r"^(?P<indent> *)model:\n(?P<body>(?:(?P=indent) +\S.*\n)+)", re.MULTILINE)
TRIES = 3  # somebody else may push at the same moment


def declare(url: str, file: str, *, version: str, uri: str, author: str, message: str) -> str:
    """The new commit's id, on the branch of the repository at `url`. Raises GitError."""
    for left in reversed(range(TRIES)):
        with tempfile.TemporaryDirectory() as scratch:
            tree = Path(scratch, "tree")
            clone(url, tree)
            manifest = tree / file
            manifest.write_text(rewritten(manifest.read_text(), version=version, uri=uri))
            made = commit(tree, author, message)
            try:
                git("push", "--quiet", url, f"HEAD:{BRANCH}", at=tree)
            except GitError:
                if not left:
                    raise
                continue
            return made
    raise GitError("push: nothing was tried")


def rewritten(text: str, *, version: str, uri: str) -> str:
    """The manifest with another version and URI below `model:`. ValueError without such a block."""
    block = _MODEL.search(text)
    if block is None:
        raise ValueError("the manifest has no model: with version and uri")
    body = block["body"]
    for name, value in (("version", version), ("uri", uri)):
        line = re.compile(rf"^( +{name}:).*$", re.MULTILINE)
        body, changed = line.subn(lambda m, v=value: f"{m[1]} {json.dumps(v)}", body, count=1)
        if not changed:
            raise ValueError(f"the manifest has no model.{name}")
    return text[: block.start("body")] + body + text[block.end("body") :]
