"""Binaries from Go modules, built once a machine and kept where every clone finds them.

A version that a proxy lists is not always one it serves, so each is pinned to one that has been
downloaded; a build that fails names the module.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster import golang
from e2e.cluster.paths import ClusterError, cache_root, locked, say

SOURCES = Path(__file__).parent / "gobuild"
KUBERNETES = "v1.36.4"
COMPONENTS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubectl",
    "kubelet",
)


@dataclass(frozen=True, slots=True)
class Target:
    """One binary: a package of a public module, or (`package` empty) of ours in `gobuild/`."""

    version: str
    minutes: float  # cold, on two cores: for the line that prepares the user
    packages: int  # roughly, so that progress has an end
    package: str = ""


TARGETS = {
    "hyper": Target(KUBERNETES, 6, 2750),
    "pause": Target("3.10", 0.1, 60),
    "vegeta": Target("v12.13.0", 0.5, 250, "github.com/tsenart/vegeta/v12"),
    "contour": Target("v1.33.8", 2.5, 700, "github.com/projectcontour/contour/cmd/contour"),
    "coredns": Target("v1.12.4", 4, 1050, "github.com/coredns/coredns"),
    "helm": Target("v3.21.4", 1.5, 900, "helm.sh/helm/v3/cmd/helm"),
}


def binary(name: str) -> Path:
    """The path of the binary `name`, which is built first if this machine has not built it.

    Raises ClusterError for an unknown name, or with the compiler's last lines.
    """
    return binaries([name])[name]


def binaries(names: Sequence[str]) -> dict[str, Path]:
    """Several binaries at once, so that the first line can tell how long all of them take."""
    unknown = [name for name in names if name not in TARGETS]
    if unknown:
        raise ClusterError(f"no binary {unknown[0]!r}: there are {', '.join(TARGETS)}")
    paths = {name: _path(name) for name in names}
    if all(path.exists() for path in paths.values()):
        return paths
    waiting = "another build is running on this machine: waiting for it"
    with locked(cache_root() / "build.lock", waiting):
        missing = [name for name in names if not paths[name].exists()]
        if missing:
            minutes = sum(TARGETS[name].minutes for name in missing)
            say(
                f"first build of {', '.join(missing)}: about {max(1, round(minutes))} "
                "minute(s) on two cores, once per machine"
            )
            go = golang.toolchain()
        for number, name in enumerate(missing, 1):
            _build(go, name, paths[name], f"[{number}/{len(missing)}] {name}")
    return paths


def component(name: str) -> Path:
    """A Kubernetes component (`kubectl`, `kube-apiserver`, …): a link to the multi-call binary."""
    hyper = binary("hyper")
    link = hyper.with_name(hyper.name + ".links") / name
    if not link.is_symlink():
        link.parent.mkdir(exist_ok=True)
        for each in COMPONENTS:
            spare = link.parent / f".{each}.{os.getpid()}"
            spare.symlink_to(hyper)
            spare.rename(link.parent / each)
    return link


def _path(name: str) -> Path:
    target = TARGETS[name]
    key = target.version
    if not target.package:
        key += "-" + _fingerprint(SOURCES / name, _ldflags(name))
    return cache_root() / "bin" / f"{name}-{key}"


def _fingerprint(directory: Path, ldflags: str) -> str:
    digest = hashlib.sha256(ldflags.encode())
    for file in sorted(directory.rglob("*")):
        if file.is_file():
            digest.update(str(file.relative_to(directory)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def _ldflags(name: str) -> str:
    flags = ["-s", "-w"]
    if name == "hyper":
        # Unstamped it calls itself v0.0.0-master+$Format…, which version parsers refuse.
        _, minor, _ = KUBERNETES.split(".")
        stamps = {
            "gitVersion": KUBERNETES,
            "gitMajor": "1",
            "gitMinor": minor,
            "gitTreeState": "clean",
            "gitCommit": "unknown",
            "buildDate": "2026-01-01T00:00:00Z",
        }
        for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
            flags += [f"-X {package}.{key}={value}" for key, value in stamps.items()]
    return " ".join(flags)


def _build(go: Path, name: str, path: Path, label: str) -> None:
    target = TARGETS[name]
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, because a rename is atomic only within one file system.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{name}.") as scratch:
        out = Path(scratch, "out")
        options = ["-v", "-trimpath", "-ldflags", _ldflags(name)]
        environment = {**golang.environment(), "GOBIN": str(out)}
        out.mkdir()
        if target.package:
            argv = [str(go), "install", *options, f"{target.package}@{target.version}"]
            directory = scratch
        else:
            # A copy: -mod=mod may write to go.mod and go.sum, and the checkout is not ours.
            directory = str(Path(scratch, "source"))
            shutil.copytree(SOURCES / name, directory)
            argv = [str(go), "build", *options, "-o", f"{out}/", "."]
        log = cache_root() / f"build-{name}.log"
        _watch(argv, directory, environment, log, label, target.packages)
        (built,) = out.iterdir()
        built.rename(path)


def _watch(
    argv: Sequence[str],
    directory: str,
    environment: dict[str, str],
    log: Path,
    label: str,
    total: int,
) -> None:
    started = time.monotonic()
    rewrite = sys.stderr.isatty()
    with log.open("wb") as sink:
        process = subprocess.Popen(
            argv, cwd=directory, env=environment, stdout=sink, stderr=subprocess.STDOUT
        )
    try:
        code = None
        while code is None:
            try:
                code = process.wait(timeout=1 if rewrite else 15)
            except subprocess.TimeoutExpired:
                line = f"{label}: {_progress(log, total)}, {_elapsed(started)}"
                if rewrite:
                    print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
                else:
                    say(line)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
        if rewrite:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    if code:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise ClusterError(f"building {label} failed (whole log: {log}):\n{tail}")
    say(f"{label}: built in {_elapsed(started)}")


def _progress(log: Path, total: int) -> str:
    lines = log.read_text(errors="replace").splitlines()
    packages = sum(1 for line in lines if not line.startswith("go: "))
    if packages:
        return f"{packages} of about {total} packages compiled"
    return f"{len(lines)} modules downloaded" if lines else "resolving modules"


def _elapsed(started: float) -> str:
    seconds = round(time.monotonic() - started)
    return f"{seconds // 60} min {seconds % 60:02d} s" if seconds >= 60 else f"{seconds} s"
