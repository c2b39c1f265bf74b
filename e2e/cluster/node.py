"""The node: a mount and a network namespace, a veth to the host and a cgroup root.

Inside them kubelet, containerd and kube-proxy find standard ports and paths free and may change
routes and rules at will, and the end of the namespaces is the end of all of it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from e2e.cluster.daemon import Daemon, end, started_at
from e2e.cluster.names import Names
from e2e.cluster.paths import ClusterError, state_root

HOLDER = "node"
INSIDE = "node0"  # the node's end of the veth
# Of what the kubelet keeps at fixed paths: the state's directory -> where it is seen.
BOUND = {
    "kubelet": "/var/lib/kubelet",
    "containerd": "/var/lib/containerd",
    "cni-conf": "/etc/cni/net.d",
    "cni": "/var/lib/cni",
    "pods": "/var/log/pods",
    "containers": "/var/log/containers",
    "plugins": "/usr/libexec/kubernetes",
}
# The kubelet sets these for the whole machine; `down` of the last cluster sets them back.
TUNED = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
SETUP = r"""
set -eu
# A sysfs of the new network namespace, with the cgroup mounts of the old one.
aside=$STATE/cgroup
mount --rbind /sys/fs/cgroup "$aside"
mount -t sysfs sysfs /sys
mount --rbind "$aside" /sys/fs/cgroup
umount --lazy "$aside"
mount -t tmpfs "$MARK" /run
mkdir -p /run/containerd /run/netns /run/lock
for pair in $BOUND; do
  mount --bind "$STATE/${pair%%=*}" "${pair#*=}"
done
mount --make-rshared /
ip link set lo up
until ip link show "$INSIDE" >/dev/null 2>&1; do sleep 0.05; done
ip address add "$ADDRESS/24" dev "$INSIDE"
ip link set "$INSIDE" up
ip route add default via "$GATEWAY"
echo 1 >/proc/sys/net/ipv4/ip_forward
if [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]; then
  echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
fi
touch "$STATE/run/ready"
exec sleep infinity
"""


def holder(names: Names) -> Daemon:
    """The process whose namespaces are the node."""
    return Daemon(HOLDER, names.run, names.log)


def enter(names: Names) -> list[str]:
    """The words before a command that is to run in the node.

    Raises ClusterError when the node does not exist.
    """
    pid = holder(names).pid()
    if not pid:
        raise ClusterError(f"cluster {names.n} is not up: run `python -m e2e.cluster up`")
    # Not `ip netns exec`: it mounts a new /sys, which hides the cgroups.
    return ["nsenter", f"--target={pid}", "--mount", "--net", "--"]


def lives(names: Names) -> bool:
    """Whether the node is whole: an interrupted `start` may leave half of one."""
    return bool(holder(names).pid()) and (names.run / "ready").exists()


def start(names: Names) -> None:
    """Make the node unless it lives. Raises ClusterError when its name or addresses are taken."""
    if lives(names):
        return
    node = holder(names)
    _refuse_taken(names)
    _remember_tuning()
    for directory in (*BOUND, "run", "cgroup"):
        (names.state / directory).mkdir(parents=True, exist_ok=True)
    _make_mount_points()
    (names.run / "ready").unlink(missing_ok=True)
    _make_cgroups(names)
    settings = {
        "STATE": str(names.state),
        "MARK": names.mark,
        "INSIDE": INSIDE,
        "ADDRESS": names.node_address,
        "GATEWAY": names.host_address,
        "BOUND": " ".join(f"{name}={path}" for name, path in BOUND.items()),
    }
    unshare = ["unshare", "--mount", "--net", "--propagation", "private"]
    node.start([*unshare, "sh", "-c", SETUP], settings)
    mine = os.readlink("/proc/self/ns/net")
    node.wait(lambda: _namespace(node.pid(), "net") not in ("", mine), 10)
    _link(names, node.pid())
    node.wait((names.run / "ready").exists, 10)


def stop(names: Names) -> None:
    """End every process of the node, then what they leave; nothing to end is no error."""
    until = time.monotonic() + 10
    while remaining := {*_in_cgroups(names), *_in_namespace(names)} - {holder(names).pid()}:
        for pid in remaining:
            end(pid, patience=0)
        if time.monotonic() > until:
            raise ClusterError(f"these processes of cluster {names.n} do not end: {remaining}")
    holder(names).stop(patience=0)
    for pid in _in_namespace(names):
        end(pid, patience=0)
    subprocess.run(["ip", "link", "delete", names.mark], stderr=subprocess.DEVNULL)
    _remove_cgroups(names)
    # Not while another cluster is up: it needs both, and removing a directory on the host would
    # take the mount on it away inside the other's namespace.
    if not _seeing(r"merit\d+"):
        _remove_mount_points()
        _restore_tuning()


def remains(names: Names) -> list[str]:
    """What of the cluster is still on the host, in words; empty after `stop`."""
    found = [f"process {pid}" for pid in {*_in_cgroups(names), *_in_namespace(names)}]
    if Path("/sys/class/net", names.mark).exists():
        found.append(f"interface {names.mark}")
    found += [f"cgroup {path}" for path in _cgroups(names) if path.exists()]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    found += [f"mount {line.split()[4]}" for line in mounts if f"{names.state}/" in line]
    return found


def _refuse_taken(names: Names) -> None:
    if Path("/sys/class/net", names.mark).exists() or any(p.exists() for p in _cgroups(names)):
        raise ClusterError(
            f"cluster {names.n} is in use by another user or state directory (there is an "
            f"interface or cgroup {names.mark}): choose another number with -N"
        )
    routes = subprocess.run(["ip", "-j", "route"], capture_output=True, text=True).stdout
    taken = {route["dst"] for route in json.loads(routes or "[]")}
    if mine := taken & {names.link, names.pods, names.services}:
        raise ClusterError(
            f"the machine already has a route to {mine.pop()}: choose another number with -N"
        )


def _link(names: Names, pid: int) -> None:
    # A veth and not a dummy interface: small kernels lack the latter.
    ip = ["link", "add", names.mark, "type", "veth", "peer", "name", INSIDE, "netns", str(pid)]
    commands = [
        ip,
        ["address", "add", f"{names.host_address}/24", "dev", names.mark],
        ["link", "set", names.mark, "up"],
        ["route", "add", names.pods, "via", names.node_address],
        ["route", "add", names.services, "via", names.node_address],
    ]
    for command in commands:
        done = subprocess.run(["ip", *command], capture_output=True, text=True)
        if done.returncode:
            raise ClusterError(f"ip {' '.join(command)}: {done.stderr.strip()}")


def _hierarchies() -> Iterator[Path]:
    """Every cgroup mount: one on a version 2 host, one a controller on version 1."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        path = fields.split()[4]
        if rest.split()[0] in ("cgroup", "cgroup2") and path.startswith("/sys/fs/cgroup"):
            yield Path(path)


def _cgroups(names: Names) -> list[Path]:
    return [hierarchy / names.mark for hierarchy in _hierarchies()]


def _make_cgroups(names: Names) -> None:
    for path in _cgroups(names):
        controllers = path.parent / "cgroup.controllers"
        if controllers.exists():
            for controller in controllers.read_text().split():
                (path.parent / "cgroup.subtree_control").write_text(f"+{controller}")
        path.mkdir(exist_ok=True)
        # Version 1 starts a cpuset empty, and nothing can run in an empty one.
        for file in ("cpuset.cpus", "cpuset.mems"):
            if (path / file).exists() and not controllers.exists():
                (path / file).write_text((path.parent / file).read_text())


def _remove_cgroups(names: Names) -> None:
    until = time.monotonic() + 2
    while True:
        for path in _cgroups(names):
            for directory, _, _ in os.walk(path, topdown=False):
                try:
                    os.rmdir(directory)
                except OSError:
                    continue  # the kernel lets go of a dead process's cgroup a moment later
        if not any(path.exists() for path in _cgroups(names)) or time.monotonic() > until:
            return
        time.sleep(0.05)


def _in_cgroups(names: Names) -> set[int]:
    found = set()
    for path in _cgroups(names):
        for directory, _, _ in os.walk(path):
            try:
                text = Path(directory, "cgroup.procs").read_text()
            except OSError:
                continue
            found |= {int(pid) for pid in text.split() if started_at(int(pid))}
    return found


def _in_namespace(names: Names) -> set[int]:
    return _seeing(names.mark)


def _seeing(mark: str) -> set[int]:
    """Processes that see a node's own /run: the mount's source is the mark, so they are found
    even when the state, or the process that held the namespace, is gone."""
    mine = _namespace(os.getpid(), "mnt")
    verdicts = {mine: False, "": False}
    found = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        namespace = _namespace(int(entry.name), "mnt")
        if namespace not in verdicts:
            try:
                mounts = (entry / "mountinfo").read_text()
                verdicts[namespace] = bool(re.search(rf" - tmpfs {mark} ", mounts))
            except OSError:
                continue
        if verdicts[namespace]:
            found.add(int(entry.name))
    return found


def _namespace(pid: int, kind: str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/{kind}")
    except OSError:
        return ""


def _make_mount_points() -> None:
    # A mount needs somewhere to be: what the host lacks is made, noted, and removed at the end.
    made = state_root() / "mount-points"
    for path in map(Path, BOUND.values()):
        for directory in [*reversed(path.parents), path]:
            if not directory.exists():
                with made.open("a") as note:
                    note.write(f"{directory}\n")
                directory.mkdir()


def _remove_mount_points() -> None:
    made = state_root() / "mount-points"
    for line in reversed(made.read_text().split() if made.exists() else []):
        try:
            Path(line).rmdir()
        except OSError:
            continue  # someone else found a use for it
    made.unlink(missing_ok=True)


def _remember_tuning() -> None:
    file = state_root() / "sysctl.json"
    if not file.exists():
        values = {key: Path("/proc/sys", key).read_text().strip() for key in TUNED}
        file.write_text(json.dumps(values))


def _restore_tuning() -> None:
    file = state_root() / "sysctl.json"
    if file.exists():
        for key, value in json.loads(file.read_text()).items():
            Path("/proc/sys", key).write_text(value)
        file.unlink()
