"""A real API server without a node: for tests whose subject is Kubernetes' own behaviour.

No root, namespaces or cgroups: loopback ports that were free, and a directory. The garbage
collector and the namespace controller run, so owner references and namespace deletion are real;
pods never start, which lets a test force every order of events.
"""

from __future__ import annotations

import csv
import secrets
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from e2e.cluster import build, debs, pki
from e2e.cluster.daemon import Daemon, answers
from e2e.cluster.paths import ClusterError

ADMIN = "admin"
ADDRESS = "127.0.0.1"
AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
"""


class ControlPlane:
    """etcd, kube-apiserver and two controllers, from `with` to its end.

    `directory` holds everything and is not removed. `tokens` maps further identities to their
    groups, so that a test can act under the rights of production; give a ServiceAccount its full
    user name (`system:serviceaccount:NAMESPACE:NAME`) to bring it under a chart's own RBAC.
    The processes end with the thread that entered, even if it is killed.
    """

    def __init__(
        self,
        directory: Path,
        *,
        tokens: Mapping[str, Sequence[str]] | None = None,
        audit: bool = False,
    ) -> None:
        self.directory = directory.absolute()
        self.kubeconfig = self.directory / "admin.kubeconfig"
        self.ca = self.directory / "pki" / "ca.crt"
        self.audit_log = self.directory / "audit.log" if audit else None
        self.url = ""
        self._groups = {ADMIN: ("system:masters",), **(tokens or {})}
        self._tokens = {name: secrets.token_hex(16) for name in self._groups}
        self._started: list[Daemon] = []

    def token(self, name: str = ADMIN) -> str:
        """The bearer token of the identity `name`; KeyError if it was not asked for."""
        return self._tokens[name]

    def kubeconfig_for(self, name: str) -> Path:
        """A kubeconfig that acts as the identity `name`."""
        path = self.directory / f"{name.replace(':', '-')}.kubeconfig"
        return pki.write_kubeconfig(path, self.url, self.ca, {"token": self.token(name)})

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """What `kubectl ARGUMENTS` prints, as admin.

        Raises ClusterError with its complaint if it fails.
        """
        done = subprocess.run(
            [build.component("kubectl"), "--kubeconfig", self.kubeconfig, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise ClusterError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def restart_apiserver(self) -> None:
        """End kube-apiserver, and start it again; it is not waited for."""
        daemon = next(each for each in self._started if each.name == "kube-apiserver")
        daemon.stop(patience=1)
        self._started.remove(daemon)
        self._run("kube-apiserver", *self._apiserver(*self._ports))

    def __enter__(self) -> ControlPlane:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def _start(self) -> None:
        etcd = debs.package("etcd-server") / "usr/bin/etcd"
        build.binary("hyper")
        for stale in ("etcd", "pki"):
            shutil.rmtree(self.directory / stale, ignore_errors=True)
        client, peer, secure = _free_ports(3)
        self.url = f"https://{ADDRESS}:{secure}"
        server = pki.Leaf("apiserver", "kube-apiserver", "", ("server",), (ADDRESS, "localhost"))
        pki.ensure(self.directory / "pki", [server])
        self._write_identities()
        self._ports = (f"http://{ADDRESS}:{client}", secure)
        self._run("etcd", etcd, *etcd_flags(self.directory / "etcd", client, peer))
        apiserver = self._run("kube-apiserver", *self._apiserver(*self._ports))
        apiserver.wait(lambda: answers(f"{self.url}/readyz", self.ca))
        self._run("kube-controller-manager", *self._controllers())

    def _stop(self) -> None:
        # The database last: the others complain about its absence for seconds.
        while self._started:
            self._started.pop().stop(patience=3)

    def _run(self, name: str, program: Path, *flags: str) -> Daemon:
        daemon = Daemon(name, self.directory, self.directory)
        daemon.stop()
        # The kernel ends it with us: a killed test run leaves no server behind.
        daemon.start(["setpriv", "--pdeathsig", "KILL", "--", program, *flags])
        self._started.append(daemon)
        return daemon

    def _write_identities(self) -> None:
        with (self.directory / "tokens.csv").open("w", newline="") as file:
            for name, token in self._tokens.items():
                csv.writer(file).writerow([token, name, name, ",".join(self._groups[name])])
        (self.directory / "tokens.csv").chmod(0o600)
        self.kubeconfig_for(ADMIN)
        (self.directory / "audit-policy.yaml").write_text(AUDIT_POLICY)

    def _apiserver(self, store: str, port: int) -> tuple[Path, *tuple[str, ...]]:
        keys = self.directory / "pki"
        flags = [
            f"--etcd-servers={store}",
            f"--bind-address={ADDRESS}",
            f"--advertise-address={ADDRESS}",
            f"--secure-port={port}",
            f"--tls-cert-file={keys}/apiserver.crt",
            f"--tls-private-key-file={keys}/apiserver.key",
            "--service-cluster-ip-range=10.0.0.0/16",
            "--allow-privileged=true",
            "--authorization-mode=RBAC",
            # No controller makes ServiceAccounts here, so pods must not be asked for one.
            "--disable-admission-plugins=ServiceAccount",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={keys}/sa.pub",
            f"--service-account-signing-key-file={keys}/sa.key",
            f"--token-auth-file={self.directory}/tokens.csv",
        ]
        if self.audit_log:
            flags += [
                f"--audit-policy-file={self.directory}/audit-policy.yaml",
                f"--audit-log-path={self.audit_log}",
            ]
        return (build.component("kube-apiserver"), *flags)

    def _controllers(self) -> tuple[Path, *tuple[str, ...]]:
        return (
            build.component("kube-controller-manager"),
            f"--kubeconfig={self.kubeconfig}",
            f"--authentication-kubeconfig={self.kubeconfig}",
            f"--authorization-kubeconfig={self.kubeconfig}",
            f"--bind-address={ADDRESS}",
            "--secure-port=0",
            "--leader-elect=false",
            f"--service-account-private-key-file={self.directory}/pki/sa.key",
            "--controllers=garbage-collector-controller,namespace-controller",
        )


def etcd_flags(data: Path, client: int, peer: int) -> tuple[str, ...]:
    """A one-member etcd on loopback that trades durability for speed: it holds tests only."""
    here, there = f"http://{ADDRESS}:{client}", f"http://{ADDRESS}:{peer}"
    return (
        "--name=n",
        f"--data-dir={data}",
        f"--listen-client-urls={here}",
        f"--advertise-client-urls={here}",
        f"--listen-peer-urls={there}",
        f"--initial-advertise-peer-urls={there}",
        f"--initial-cluster=n={there}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    )


def _free_ports(count: int) -> list[int]:
    # All are held until all are known, else the kernel may name one twice.
    sockets = [socket.create_server((ADDRESS, 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
