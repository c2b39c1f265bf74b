"""Debian packages, unpacked into the cache and never installed: the machine stays as it was.

etcd, containerd, Prometheus and Alertmanager come from sid, whose versions Kubernetes 1.36 is
happiest with; whatever of sid does not run on this machine's C library comes from the machine's own
release. Sid moves, so what was unpacked once and ran is kept.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.paths import ClusterError, cache_root, locked, say

SID = "sid"
FROM_SID = ("etcd-server", "containerd", "prometheus", "prometheus-alertmanager")
# runc of sid wants a newer C library; iptables and conntrack must match the machine's libraries.
FROM_RELEASE = (
    "runc",
    "libseccomp2",
    "containernetworking-plugins",
    "iptables",
    "libxtables12",
    "libip4tc2",
    "libip6tc2",
    "libnftnl11",
    "libmnl0",
    "libnetfilter-conntrack3",
    "libnfnetlink0",
    "conntrack",
)
FOR_TESTS = ("promtool",)
PACKAGES = (*FROM_SID, *FROM_RELEASE)
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
LIBRARIES = "usr/lib/x86_64-linux-gnu"


@dataclass(frozen=True, slots=True)
class Mirror:
    """Where the machine itself gets Debian from."""

    uri: str
    release: str
    signed_by: str


def package(name: str) -> Path:
    """The root of the unpacked package `name`, fetched first if it is not in the cache."""
    return packages([name])[name]


def packages(names: Sequence[str] = PACKAGES) -> dict[str, Path]:
    """The roots of several unpacked packages; missing ones are fetched in one go.

    Raises ClusterError when the machine has no apt, or a package cannot be fetched.
    """
    home = cache_root() / "debian"
    roots = {name: home / name for name in names}
    if all(root.exists() for root in roots.values()):
        return roots
    waiting = "another process is fetching Debian packages: waiting for it"
    with locked(home / "lock", waiting):
        missing = [name for name in names if not roots[name].exists()]
        if missing:
            say(f"unpacking Debian packages (not installing them): {', '.join(missing)}")
            with tempfile.TemporaryDirectory(dir=home, prefix=".apt.") as scratch:
                _fetch(Path(scratch), missing, roots)
    return roots


def search_path(roots: Iterable[Path]) -> dict[str, str]:
    """Environment in which the programs and libraries of `roots` are found before the machine's."""
    roots = list(roots)
    programs = [root / sub for root in roots for sub in ("usr/sbin", "usr/bin", "sbin", "bin")]
    libraries = [root / sub for root in roots for sub in (LIBRARIES, "lib/x86_64-linux-gnu")]
    plugins = [path for path in (library / "xtables" for library in libraries) if path.exists()]
    found = [str(path) for path in programs if path.exists()]
    return {
        "PATH": ":".join([*found, "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]),
        "LD_LIBRARY_PATH": ":".join(str(path) for path in libraries if path.exists()),
        **({"XTABLES_LIBDIR": str(plugins[0])} if plugins else {}),
    }


def mirror() -> Mirror:
    """The machine's own Debian mirror and release, as apt itself understands its configuration."""
    if not shutil.which("apt-get"):
        raise ClusterError("apt-get is missing: the bundled cluster needs Debian 12 or newer")
    listed = subprocess.run(
        [
            "apt-get",
            "indextargets",
            "--format",
            "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(SIGNED_BY)",
            "Created-By: Packages",
        ],
        capture_output=True,
        text=True,
    ).stdout
    return choose_mirror(listed.splitlines(), _codename())


def choose_mirror(lines: Iterable[str], codename: str) -> Mirror:
    """Among apt's index targets (`uri|release|component|key`), the one of the release itself.

    Raises ClusterError when apt is configured for no such release.
    """
    for line in lines:
        uri, release, part, key = line.split("|")
        if release == codename and part == "main":
            # apt leaves the word as it is where the source names no key of its own.
            return Mirror(uri, release, key if key.startswith("/") else KEYRING)
    raise ClusterError(
        f"apt knows no source for Debian {codename!r} main: add one to /etc/apt/sources.list.d"
    )


def glibc_needed(file: Path) -> tuple[int, int]:
    """The newest C library version that the program `file` asks for; (0, 0) for a static one."""
    found = re.findall(rb"GLIBC_(\d+)\.(\d+)", file.read_bytes())
    return max(((int(a), int(b)) for a, b in found), default=(0, 0))


def _codename() -> str:
    text = Path("/etc/os-release").read_text() if Path("/etc/os-release").exists() else ""
    match = re.search(r'^VERSION_CODENAME="?([\w-]+)', text, re.M)
    if not match:
        raise ClusterError("this is no Debian release: the bundled cluster needs Debian 12+")
    return match[1]


def _glibc_here() -> tuple[int, int]:
    major, minor = (os.confstr("CS_GNU_LIBC_VERSION") or "glibc 0.0").split()[1].split(".")[:2]
    return int(major), int(minor)


def _fetch(scratch: Path, missing: Sequence[str], roots: dict[str, Path]) -> None:
    source = mirror()
    apt = _private_apt(scratch, source)
    wanted = {name: SID if name in (*FROM_SID, *FOR_TESTS) else source.release for name in missing}
    # One call for all, as apt reads its lists anew in each; what it leaves out is asked for alone.
    everything = [f"{name}/{release}" for name, release in wanted.items()]
    subprocess.run([*apt, "download", *everything], cwd=scratch, capture_output=True)
    for name, release in wanted.items():
        unpacked = scratch / name
        if not _unpack(apt, scratch, name, release) or not _runs_here(unpacked):
            if release == source.release:
                raise ClusterError(f"the Debian package {name} could not be fetched")
            say(f"{name} of {release} does not run here: taking {source.release}'s")
            shutil.rmtree(unpacked, ignore_errors=True)
            if not _unpack(apt, scratch, name, source.release):
                raise ClusterError(f"the Debian package {name} could not be fetched")
        unpacked.rename(roots[name])


def _private_apt(scratch: Path, source: Mirror) -> list[str]:
    """apt with lists, cache and an empty status of its own: it neither reads nor writes the
    machine's, but still follows its proxies and certificates."""
    (scratch / "lists/partial").mkdir(parents=True)
    (scratch / "archives/partial").mkdir(parents=True)
    (scratch / "status").touch()
    (scratch / "debian.sources").write_text(
        f"Types: deb\nURIs: {source.uri}\nSuites: {source.release} {SID}\n"
        f"Components: main\nSigned-By: {source.signed_by}\n"
    )
    options = {
        "Dir::State": scratch,
        "Dir::State::lists": scratch / "lists",
        "Dir::State::status": scratch / "status",
        "Dir::Cache": scratch,
        "Dir::Etc::sourcelist": scratch / "debian.sources",
        "Dir::Etc::sourceparts": "-",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
    }
    hooks = scratch / "apt.conf"
    hooks.write_text("#clear APT::Update::Post-Invoke;\n#clear APT::Update::Post-Invoke-Success;\n")
    apt = ["apt-get", "-qq", "-c", str(hooks)]
    for key, value in options.items():
        apt += ["-o", f"{key}={value}"]
    updated = subprocess.run([*apt, "update"], capture_output=True, text=True)
    if updated.returncode:
        raise ClusterError(f"apt could not read {source.uri}:\n{updated.stderr.strip()}")
    return apt


def _unpack(apt: Sequence[str], scratch: Path, name: str, release: str) -> bool:
    if not list(scratch.glob(f"{name}_*.deb")):
        subprocess.run([*apt, "download", f"{name}/{release}"], cwd=scratch, capture_output=True)
    files = list(scratch.glob(f"{name}_*.deb"))
    if not files:
        return False
    (scratch / name).mkdir()
    subprocess.run(["dpkg-deb", "-x", files[0], scratch / name], check=True)
    files[0].unlink()
    return True


def _runs_here(root: Path) -> bool:
    here = _glibc_here()
    programs = [path for sub in ("usr/bin", "usr/sbin") for path in (root / sub).glob("*")]
    return all(glibc_needed(path) <= here for path in programs if path.is_file())
