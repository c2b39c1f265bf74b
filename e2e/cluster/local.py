"""The bundled local cluster: its parts, the order in which they start, and how all of it ends."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster import build, config, debs, images, node, requirements
from e2e.cluster.controlplane import etcd_flags
from e2e.cluster.daemon import Daemon, answers
from e2e.cluster.names import Names
from e2e.cluster.paths import ClusterError, locked, say, state_root

IPTABLES = (
    "iptables",
    "iptables-save",
    "iptables-restore",
    "ip6tables",
    "ip6tables-save",
    "ip6tables-restore",
)
KEPT = ("pki", "config", "kubeconfig")  # across `down`, so that a kubeconfig once copied works


@dataclass(frozen=True, slots=True)
class Part:
    """One process of the cluster and how it shows that it is ready."""

    name: str
    argv: tuple[str | Path, ...]
    ready: Callable[[], bool]


class LocalCluster:
    """The local cluster number `n`; any instance of the same number is the same cluster."""

    def __init__(self, n: int = 1) -> None:
        self.names = Names(n)

    def up(self) -> None:
        """Bring it up, or start again what died. Raises ClusterError with a remedy."""
        names, started = self.names, time.monotonic()
        first = not node.lives(names)
        if missing := requirements.sentences(requirements.look(first)):
            raise ClusterError("\n".join(missing))
        build.binaries(["hyper", "coredns", "pause"])
        roots = debs.packages()
        with self._locked():
            # Looked at again: another `up` may have held the lock until now.
            if not node.lives(names) and names.run.exists():
                say(f"cluster {names.n}: removing what an interrupted run left")
                self._clear()
            names.log.mkdir(parents=True, exist_ok=True)
            node.start(names)
            config.write(names)
            environment = self._environment(roots)
            parts = {part.name: part for part in self._parts(roots)}
            for name in ("etcd", "containerd", "kube-apiserver"):
                self._start(parts[name], environment)
            for name in ("containerd", "etcd", "kube-apiserver"):
                self._wait(parts[name])
            say(f"cluster {names.n}: API server ready after {time.monotonic() - started:.1f} s")
            images.load(names, images.pause())
            self._kubectl("apply", "-f", names.config / "coredns-rbac.yaml")
            rest = [part for part in parts.values() if part.name not in self._early]
            for part in rest:
                self._start(part, environment)
            for part in rest:
                self._wait(part)
            Daemon("kubelet", names.run, names.log).wait(self._schedulable)
        say(f"cluster {names.n}: node {names.node} ready after {time.monotonic() - started:.1f} s")
        say(f"  KUBECONFIG={names.kubeconfig}")

    def down(self) -> None:
        """End it and leave nothing on the host; certificates and configuration are kept."""
        if not self.names.run.exists() and not node.remains(self.names):
            say(f"cluster {self.names.n}: not up")
            return
        with self._locked():
            self._clear()
        say(f"cluster {self.names.n}: down")

    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.names.kubeconfig

    def load_images(self, archives: Sequence[Path]) -> dict[str, str]:
        """Import OCI archives; maps each name in them to the name to run it by (the same)."""
        result: dict[str, str] = {}
        for archive in archives:
            before = time.monotonic()
            result |= {name: name for name in images.references(archive)}
            if images.load(self.names, archive):
                say(f"loaded {archive.name} in {time.monotonic() - before:.1f} s")
        return result

    def node_address(self) -> str:
        """Where the host reaches NodePorts."""
        return self.names.node_address

    def parts(self) -> dict[str, int]:
        """Every part with its pid, 0 for one that does not live."""
        known = [node.HOLDER, *self._early, *self._late]
        return {name: Daemon(name, self.names.run, self.names.log).pid() for name in known}

    _early = ("etcd", "containerd", "kube-apiserver")
    _late = ("kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "coredns")

    def _locked(self) -> AbstractContextManager[None]:
        file = state_root() / f"cluster{self.names.n}.lock"
        return locked(file, f"cluster {self.names.n}: another command is at work, waiting for it")

    def _clear(self) -> None:
        names = self.names
        # Workers before the servers they talk to, so that none complains its way through retries.
        for name in ("kubelet", *self._late, "kube-apiserver", "containerd", "etcd"):
            Daemon(name, names.run, names.log).stop(patience=1)
        node.stop(names)
        for path in names.state.iterdir() if names.state.exists() else ():
            if path.name not in (*KEPT, "run"):
                shutil.rmtree(path)
        # Last: it is what tells an interrupted `down` from a finished one.
        shutil.rmtree(names.run, ignore_errors=True)
        if left := node.remains(names):
            raise ClusterError(f"cluster {names.n} left behind: {', '.join(left)}; try again")

    def _start(self, part: Part, environment: Mapping[str, str]) -> None:
        daemon = Daemon(part.name, self.names.run, self.names.log)
        if daemon.start([*node.enter(self.names), *part.argv], environment):
            say(f"cluster {self.names.n}: starting {part.name}")

    def _wait(self, part: Part) -> None:
        Daemon(part.name, self.names.run, self.names.log).wait(part.ready)

    def _kubectl(self, *arguments: str | Path) -> str:
        argv = [build.component("kubectl"), "--kubeconfig", self.names.kubeconfig, *arguments]
        done = subprocess.run([str(word) for word in argv], capture_output=True, text=True)
        if done.returncode:
            raise ClusterError(f"kubectl {arguments[0]}: {done.stderr.strip()}")
        return done.stdout

    def _schedulable(self) -> bool:
        """A pod applied now would be admitted and run: a ready node, a default account."""
        query = '-o=jsonpath={.status.conditions[?(@.type=="Ready")].status}'
        try:
            ready = self._kubectl("get", "node", self.names.node, query) == "True"
            self._kubectl("get", "serviceaccount", "default", "--namespace=default")
        except ClusterError:
            ready = False
        return ready

    def _environment(self, roots: Mapping[str, Path]) -> dict[str, str]:
        environment = debs.search_path(roots.values())
        links = self.names.config / "bin"
        links.mkdir(exist_ok=True)
        programs = roots["iptables"] / "usr/sbin"
        inside = {**environment, "PATH": f"{links}:{environment['PATH']}"}
        # Debian links `iptables` at installation; which of the two works is the kernel's affair.
        for variant in ("xtables-nft-multi", "xtables-legacy-multi"):
            program = str(programs / variant)
            probe = [*node.enter(self.names), program, "iptables", "-t", "nat", "-S"]
            done = subprocess.run(probe, env=inside, capture_output=True, text=True)
            if not done.returncode:
                for name in IPTABLES:
                    (links / name).unlink(missing_ok=True)
                    (links / name).symlink_to(programs / variant)
                return inside
        raise ClusterError(f"iptables does not work with this kernel: {done.stderr.strip()}")

    def _parts(self, roots: Mapping[str, Path]) -> list[Part]:
        names = self.names
        at, conf = names.node_address, names.config
        metrics = f"http://{at}:2381"

        def kubernetes(name: str, ready: str, *flags: str) -> Part:
            ca = names.pki / "ca.crt" if name == "kube-apiserver" else None
            return Part(name, (build.component(name), *flags), lambda: answers(ready, ca))

        return [
            Part(
                "etcd",
                (
                    roots["etcd-server"] / "usr/bin/etcd",
                    *etcd_flags(names.state / "etcd", 2379, 2380),
                    f"--listen-metrics-urls={metrics}",
                ),
                lambda: answers(f"{metrics}/health"),
            ),
            Part(
                "containerd",
                (roots["containerd"] / "usr/bin/containerd", f"--config={conf}/containerd.toml"),
                lambda: images.runtime_answers(names),
            ),
            kubernetes("kube-apiserver", f"{names.server}/readyz", *apiserver_flags(names)),
            kubernetes(
                "kube-controller-manager",
                f"https://{at}:10257/healthz",
                *kubeconfigs(conf / "controller-manager.kubeconfig"),
                f"--kubeconfig={conf}/controller-manager.kubeconfig",
                f"--bind-address={at}",
                "--leader-elect=false",
                "--use-service-account-credentials=true",
                f"--root-ca-file={names.pki}/ca.crt",
                f"--service-account-private-key-file={names.pki}/sa.key",
                f"--cluster-signing-cert-file={names.pki}/ca.crt",
                f"--cluster-signing-key-file={names.pki}/ca.key",
                # The default, 20 requests a second, is what a scale test would measure.
                "--kube-api-qps=200",
                "--kube-api-burst=400",
            ),
            kubernetes(
                "kube-scheduler",
                f"https://{at}:10259/healthz",
                *kubeconfigs(conf / "scheduler.kubeconfig"),
                f"--config={conf}/scheduler.yaml",
                f"--bind-address={at}",
            ),
            kubernetes(
                "kubelet",
                f"http://{at}:10248/healthz",
                f"--config={conf}/kubelet.yaml",
                f"--kubeconfig={conf}/kubelet.kubeconfig",
                f"--hostname-override={names.node}",
                f"--node-ip={at}",
            ),
            kubernetes(
                "kube-proxy", f"http://{at}:10256/healthz", f"--config={conf}/kube-proxy.yaml"
            ),
            Part(
                "coredns",
                (build.binary("coredns"), f"-conf={conf}/Corefile"),
                lambda: answers(f"http://{at}:8181/ready"),
            ),
        ]


def kubeconfigs(path: Path) -> tuple[str, str]:
    """How a component asks the API server who its own callers are."""
    return (f"--authentication-kubeconfig={path}", f"--authorization-kubeconfig={path}")


def apiserver_flags(names: Names) -> tuple[str, ...]:
    """kube-apiserver as an ordinary cluster runs it, with an audit log."""
    keys = names.pki
    return (
        "--etcd-servers=http://127.0.0.1:2379",
        "--bind-address=0.0.0.0",
        f"--advertise-address={names.node_address}",
        "--secure-port=6443",
        f"--service-cluster-ip-range={names.services}",
        "--allow-privileged=true",
        f"--tls-cert-file={keys}/apiserver.crt",
        f"--tls-private-key-file={keys}/apiserver.key",
        f"--client-ca-file={keys}/ca.crt",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={keys}/sa.pub",
        f"--service-account-signing-key-file={keys}/sa.key",
        f"--kubelet-client-certificate={keys}/apiserver-kubelet-client.crt",
        f"--kubelet-client-key={keys}/apiserver-kubelet-client.key",
        f"--kubelet-certificate-authority={keys}/ca.crt",
        "--kubelet-preferred-address-types=InternalIP",
        "--enable-aggregator-routing=true",
        f"--requestheader-client-ca-file={keys}/front-proxy-ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={keys}/front-proxy-client.crt",
        f"--proxy-client-key-file={keys}/front-proxy-client.key",
        f"--audit-policy-file={names.config}/audit-policy.yaml",
        f"--audit-log-path={names.audit_log}",
        "--audit-log-maxsize=200",
        "--audit-log-maxbackup=3",
    )
