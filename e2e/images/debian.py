"""The Debian packages of an image's root, unpacked into a directory and never installed.

`e2e.cluster.debs` unpacks single packages that run on this machine, beside its own libraries. An
image needs the opposite: everything a program needs and nothing of the machine. So apt is asked for
a closure against an empty dpkg status. Files once fetched stay in the cache, and the same files
give the same layer.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from e2e.cluster import debs
from e2e.cluster.paths import ClusterError

SUITE = "bookworm"


def closure(packages: Sequence[str], into: Path) -> list[Path]:
    """The .deb files of `packages` and of all that they depend on, sorted by name, kept in `into`.

    Raises ClusterError with apt's own words when a package cannot be had.
    """
    done = into / "COMPLETE"
    if not done.exists():
        state = into / "apt"
        source = debs.mirror()
        _apt(state, source, ["update"])
        _apt(
            state,
            source,
            ["install", "--download-only", "--yes", "--no-install-recommends", *packages],
        )
        for deb in (state / "cache/archives").glob("*.deb"):
            deb.replace(into / deb.name)
        done.touch()
    return sorted(into.glob("*.deb"))


def unpack(files: Sequence[Path], root: Path) -> None:
    """Unpacks the files below `root` as dpkg would, running no maintainer script."""
    root.mkdir(parents=True, exist_ok=True)
    for file in files:
        subprocess.run(["dpkg-deb", "-x", file, root], check=True)


def _apt(state: Path, source: debs.Mirror, arguments: list[str]) -> None:
    for part in ("lists/partial", "cache/archives/partial"):
        (state / part).mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    sources = state / "sources.list"
    sources.write_text(f"deb [signed-by={source.signed_by}] {source.uri} {SUITE} main\n")
    # The machine's hooks would clear the caches; its proxies and certificates still hold.
    hooks = state / "apt.conf"
    hooks.write_text("#clear APT::Update::Post-Invoke;\n#clear DPkg::Post-Invoke;\n")
    options = {
        "Dir::State": state,
        "Dir::State::lists": state / "lists",
        "Dir::State::status": state / "status",
        "Dir::Cache": state / "cache",
        "Dir::Cache::archives": state / "cache/archives",
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "-",
        "Dir::Etc::preferences": "-",
        "Dir::Etc::preferencesparts": "-",
        "APT::Sandbox::User": "root",
        "APT::Default-Release": "",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
    }
    command = ["apt-get", "-qq", "-c", str(hooks)]
    for name, value in options.items():
        command += ["-o", f"{name}={value}"]
    result = subprocess.run(
        [*command, *arguments],
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"},
        capture_output=True,
        text=True,
    )
    if result.returncode:
        raise ClusterError(f"apt-get {' '.join(arguments)}: {result.stderr.strip()}")
