"""`python -m e2e.cluster COMMAND`: the bundled cluster from a terminal."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from e2e.cluster import build, node
from e2e.cluster.controlplane import ControlPlane
from e2e.cluster.local import LocalCluster
from e2e.cluster.paths import ClusterError, say


def main(arguments: Sequence[str]) -> int:
    """Run one command; 0 if it did what was asked."""
    # What follows `kubectl` is kubectl's, options and all; argparse would claim `-n` for itself.
    mine, theirs = list(arguments), []
    if mine[:1] == ["kubectl"]:
        words = 3 if mine[1:2] == ["-N"] else 1
        mine, theirs = mine[:words], mine[words:]
    options = _parser().parse_args(mine)
    options.arguments = theirs
    try:
        return int(options.run(options) or 0)
    except ClusterError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted; `python -m e2e.cluster status` shows what runs")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m e2e.cluster", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    number = argparse.ArgumentParser(add_help=False)
    default = os.environ.get("MERIT_N") or "1"
    number.add_argument("-N", type=int, default=default, metavar="N", help="which cluster (1)")

    build_ = commands.add_parser("build", help="build binaries into the cache (all, or NAMES)")
    build_.add_argument("names", nargs="*", metavar="NAME", help=", ".join(build.TARGETS))
    build_.set_defaults(run=_build)
    for name, run, text in (
        ("up", _up, "bring the local cluster up, or start again what died"),
        ("down", _down, "end it and leave nothing on the host"),
        ("status", _status, "show its parts"),
        ("kubeconfig", _kubeconfig, "print the path of its kubeconfig"),
    ):
        commands.add_parser(name, parents=[number], help=text).set_defaults(run=run)
    load = commands.add_parser("load", parents=[number], help="import OCI image archives")
    load.add_argument("archives", nargs="+", type=Path, metavar="IMAGE.tar")
    load.set_defaults(run=_load)
    text = "kubectl [-N N] ARGUMENT…: kubectl on it"
    kubectl = commands.add_parser("kubectl", parents=[number], help=text)
    kubectl.set_defaults(run=_kubectl)
    plane = commands.add_parser("controlplane", help="an API server without a node, until Ctrl-C")
    plane.set_defaults(run=_controlplane)
    return parser


def _build(options: argparse.Namespace) -> None:
    for name, path in build.binaries(options.names or list(build.TARGETS)).items():
        print(f"{name}\t{path}")


def _up(options: argparse.Namespace) -> None:
    LocalCluster(options.N).up()


def _down(options: argparse.Namespace) -> None:
    LocalCluster(options.N).down()


def _status(options: argparse.Namespace) -> int:
    parts = LocalCluster(options.N).parts()
    print(f"{'PART':26}{'STATE':10}{'PID':>8}{'MEMORY':>10}")
    for name, pid in parts.items():
        state = "running" if pid else "stopped"
        print(f"{name:26}{state:10}{pid or '-':>8}{_memory(pid) if pid else '-':>10}")
    return 0 if all(parts.values()) else 1


def _kubeconfig(options: argparse.Namespace) -> None:
    print(LocalCluster(options.N).kubeconfig())


def _load(options: argparse.Namespace) -> None:
    for name in LocalCluster(options.N).load_images(options.archives):
        print(name)


def _kubectl(options: argparse.Namespace) -> None:
    cluster = LocalCluster(options.N)
    # Without the cluster its address is anyone's: a request would leave the machine.
    node.enter(cluster.names)
    kubectl = build.component("kubectl")
    kubeconfig = cluster.kubeconfig()
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    os.execve(kubectl, [str(kubectl), *options.arguments], environment)


def _controlplane(options: argparse.Namespace) -> None:
    ends = {signal.SIGINT, signal.SIGTERM}
    with (
        tempfile.TemporaryDirectory(prefix="merit-") as directory,
        ControlPlane(Path(directory), audit=True) as plane,
    ):
        # Blocked only now: the servers would inherit the mask and hear no TERM.
        signal.pthread_sigmask(signal.SIG_BLOCK, ends)
        print(f"export KUBECONFIG={plane.kubeconfig}", flush=True)
        say("Ctrl-C ends it")
        signal.sigwait(ends)


def _memory(pid: int) -> str:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return f"{int(line.split()[1]) // 1024} MB"
    return "-"


sys.exit(main(sys.argv[1:]))
