"""Which cluster the end-to-end tests and the demo use: CLUSTER chooses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from e2e.cluster import build, images
from e2e.cluster.local import LocalCluster
from e2e.cluster.paths import ClusterError


class Cluster(Protocol):
    """A cluster that a test may use."""

    def up(self) -> None:
        """Make it usable; nothing happens if it is. Raises ClusterError with a remedy."""

    def down(self) -> None:
        """End what `up` began."""

    def kubeconfig(self) -> Path:
        """The kubeconfig to use."""

    def load_images(self, archives: Sequence[Path]) -> dict[str, str]:
        """Make OCI archives runnable; maps each name in them to the name to run it by."""

    def node_address(self) -> str:
        """An address at which this machine reaches NodePorts."""


class CurrentContext:
    """The user's own cluster: whatever kubectl's current context points at.

    It is neither made nor ended here. Images reach it through the registry REGISTRY.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)

    def up(self) -> None:
        """Only look whether it answers."""
        self._kubectl("version", "--output=json")

    def down(self) -> None:
        """It is not ours to end."""

    def kubeconfig(self) -> Path:
        """The first file of KUBECONFIG, or the usual one."""
        listed = self._environment.get("KUBECONFIG", "").split(":")[0]
        return Path(listed) if listed else Path.home() / ".kube" / "config"

    def load_images(self, archives: Sequence[Path]) -> dict[str, str]:
        """Push to REGISTRY with skopeo, under the logins it finds.

        Raises ClusterError when there is no REGISTRY, no skopeo, or it refuses.
        """
        registry = self._environment.get("REGISTRY", "").rstrip("/")
        if not registry:
            raise ClusterError(
                "CLUSTER=current needs a registry that the cluster can pull from: set "
                "REGISTRY=HOST/PATH, and log in to it (skopeo login HOST)"
            )
        if not shutil.which("skopeo"):
            raise ClusterError(f"skopeo is needed to push images to {registry}: install it")
        pushed = {}
        for archive in archives:
            for position, name in enumerate(images.references(archive)):
                target = f"{registry}/{name.rpartition('/')[2]}"
                source = f"oci-archive:{archive}:@{position}"
                done = subprocess.run(
                    ["skopeo", "copy", source, f"docker://{target}"], capture_output=True, text=True
                )
                if done.returncode:
                    raise ClusterError(f"{target} could not be pushed: {done.stderr.strip()}")
                pushed[name] = target
        return pushed

    def node_address(self) -> str:
        """The first node's internal address."""
        nodes = json.loads(self._kubectl("get", "nodes", "--output=json"))["items"]
        for address in nodes[0]["status"]["addresses"] if nodes else ():
            if address["type"] == "InternalIP":
                return str(address["address"])
        raise ClusterError("the current context's cluster shows no node with an internal address")

    def _kubectl(self, *arguments: str) -> str:
        program = shutil.which("kubectl") or build.component("kubectl")
        done = subprocess.run([program, *arguments], capture_output=True, text=True)
        if done.returncode:
            raise ClusterError(f"the current context does not answer: {done.stderr.strip()}")
        return done.stdout


def chosen(environment: Mapping[str, str] = os.environ) -> Cluster:
    """The cluster that CLUSTER names: `local` (the default; MERIT_N is its number) or `current`."""
    kind = environment.get("CLUSTER") or "local"
    if kind == "local":
        number = environment.get("MERIT_N") or "1"
        if not number.isdigit():
            raise ClusterError(f"MERIT_N is a number from 1 to 254, not {number!r}")
        return LocalCluster(int(number))
    if kind == "current":
        return CurrentContext(environment)
    raise ClusterError(f"CLUSTER is local or current, not {kind!r}")
