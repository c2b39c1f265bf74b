"""What a cluster is called and where it lives on the network: all of it follows from N."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.paths import ClusterError, state_root


@dataclass(frozen=True, slots=True)
class Names:
    """Names, addresses and directories of the local cluster number `n` (1 to 254)."""

    n: int

    def __post_init__(self) -> None:
        if not 1 <= self.n <= 254:
            raise ClusterError(f"-N is a number from 1 to 254, not {self.n}")

    @property
    def mark(self) -> str:
        """Interface, cgroup and mount source on the host, by which its remains are recognised."""
        return f"merit{self.n}"

    @property
    def node(self) -> str:
        return f"node{self.n}"

    @property
    def host_address(self) -> str:
        """The host's end of the link; what runs on the host is reached here by the cluster."""
        return f"10.251.{self.n}.1"

    @property
    def node_address(self) -> str:
        return f"10.251.{self.n}.2"

    @property
    def link(self) -> str:
        return f"10.251.{self.n}.0/24"

    @property
    def pods(self) -> str:
        return f"10.250.{self.n}.0/24"

    @property
    def services(self) -> str:
        return f"10.252.{self.n}.0/24"

    @property
    def service_address(self) -> str:
        """The API server's Service: the first address of the range."""
        return f"10.252.{self.n}.1"

    @property
    def server(self) -> str:
        return f"https://{self.node_address}:6443"

    @property
    def state(self) -> Path:
        return state_root() / f"cluster{self.n}"

    @property
    def pki(self) -> Path:
        return self.state / "pki"

    @property
    def run(self) -> Path:
        return self.state / "run"

    @property
    def log(self) -> Path:
        return self.state / "log"

    @property
    def config(self) -> Path:
        return self.state / "config"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's, with the node's address: it works on the host and in the node."""
        return self.state / "kubeconfig"

    @property
    def audit_log(self) -> Path:
        return self.log / "audit.log"
