"""What the local cluster needs of a machine, asked before anything starts."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.paths import cache_root, state_root

PROGRAMS = {
    "apt-get": "this is Debian's package manager: use Debian 12 or newer",
    "dpkg-deb": "install the package dpkg",
    "ip": "install the package iproute2",
    "mount": "install the package mount",
    "nsenter": "install the package util-linux",
    "setpriv": "install the package util-linux",
    "unshare": "install the package util-linux",
}
VETH = ("unshare", "--net", "ip", "link", "add", "name", "probe", "type", "veth")
DISK = 6  # GiB, for caches, images and the state
MEMORY = 3  # GiB, what a first build and a small cluster take


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found on the machine."""

    system: str  # "Linux x86_64"
    root: bool
    absent: frozenset[str]  # of PROGRAMS
    disk: float  # GiB free where cache and state are
    memory: float  # GiB available
    namespaces: bool
    veth: bool
    overlay: bool
    cgroups: frozenset[str]  # controllers


def sentences(facts: Facts) -> list[str]:
    """One sentence, with its remedy, for each thing that is missing; empty if all is well."""
    return list(_sentences(facts))


def look(first: bool = True) -> Facts:
    """Ask this machine. Not `first`: memory and disk that the cluster itself has taken are
    not asked for again."""
    absent = frozenset(name for name in PROGRAMS if not shutil.which(name))
    return Facts(
        system=f"{platform.system()} {platform.machine()}",
        root=os.geteuid() == 0,
        absent=absent,
        disk=min(_free(cache_root()), _free(state_root())) if first else DISK,
        memory=_available() if first else MEMORY,
        namespaces=_works("unshare", "--mount", "--net", "true"),
        veth=_works(*VETH),
        overlay="overlay" in Path("/proc/filesystems").read_text() or _works("modprobe", "overlay"),
        cgroups=_controllers(),
    )


def _sentences(facts: Facts) -> Iterator[str]:
    if facts.system != "Linux x86_64":
        yield (
            f"This is {facts.system}: the bundled cluster needs Linux on amd64 "
            "(CLUSTER=current uses a cluster that you have)."
        )
        return
    for name in sorted(facts.absent):
        yield f"The program {name} is missing: {PROGRAMS[name]}."
    if not facts.root:
        yield "The bundled cluster needs root for namespaces and mounts: run it with sudo."
        return  # what follows can only be asked as root
    if not facts.namespaces:
        yield "Mount and network namespaces cannot be made: in a container, run it privileged."
    elif not facts.veth:
        yield "The kernel makes no veth interfaces: load the module veth (modprobe veth)."
    if not facts.overlay:
        yield "The kernel has no overlay file system: load its module (modprobe overlay)."
    if lacking := {"cpu", "memory", "pids", "cpuset"} - facts.cgroups:
        listed = ", ".join(sorted(lacking))
        yield f"No cgroup controller for {listed}: mount /sys/fs/cgroup with it."
    if facts.disk < DISK:
        yield f"Only {facts.disk:.1f} GiB of disk are free: caches and images need {DISK}."
    if facts.memory < MEMORY:
        yield f"Only {facts.memory:.1f} GiB of memory are available: free some, up to {MEMORY}."


def _works(*command: str) -> bool:
    try:
        return not subprocess.run(command, capture_output=True).returncode
    except FileNotFoundError:
        return False


def _free(path: Path) -> float:
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free / 2**30


def _available() -> float:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) / 2**20
    return 0.0


def _controllers() -> frozenset[str]:
    version2 = Path("/sys/fs/cgroup/cgroup.controllers")
    if version2.exists():
        return frozenset(version2.read_text().split())
    found = set()
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        kind, _, options = line.partition(" - ")[2].split(maxsplit=2)
        if kind == "cgroup":
            found |= set(options.split(","))
    return frozenset(found)
