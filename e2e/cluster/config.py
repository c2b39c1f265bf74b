"""What the parts of the local cluster read: their configuration files, written from N."""

from __future__ import annotations

import json
import re
import resource
import subprocess
from pathlib import Path
from typing import Any

import yaml

from e2e.cluster import debs, pki
from e2e.cluster.controlplane import AUDIT_POLICY
from e2e.cluster.names import Names

PAUSE = "registry.local/pause:3.10"
# CoreDNS reads what it answers from; everything else it may not see.
COREDNS_RBAC = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: "system:coredns"}
rules:
  - apiGroups: [""]
    resources: [services, pods, namespaces]
    verbs: [list, watch]
  - apiGroups: [discovery.k8s.io]
    resources: [endpointslices]
    verbs: [list, watch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: "system:coredns"}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "system:coredns"}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "system:coredns"}]
"""


def write(names: Names) -> None:
    """Certificates, kubeconfigs and configuration files; what is right already is not touched."""
    leaves = pki.leaves(names.node, names.node_address, names.service_address)
    pki.ensure(names.pki, leaves)
    ca = names.pki / "ca.crt"
    for name in ("controller-manager", "scheduler", "kube-proxy", "coredns", "kubelet"):
        file = names.config / f"{name}.kubeconfig"
        if not file.exists():
            names.config.mkdir(parents=True, exist_ok=True)
            user = pki.certificate_user(names.pki, name)
            pki.write_kubeconfig(file, names.server, ca, user)
    admin = pki.certificate_user(names.pki, "admin")
    pki.write_kubeconfig(names.kubeconfig, names.server, ca, admin)
    texts = {
        "audit-policy.yaml": AUDIT_POLICY,
        "containerd.toml": _containerd(),
        "kubelet.yaml": yaml.safe_dump(_kubelet(names)),
        "kube-proxy.yaml": yaml.safe_dump(_kube_proxy(names)),
        "scheduler.yaml": yaml.safe_dump(_scheduler(names)),
        "Corefile": _corefile(names),
        "coredns-rbac.yaml": COREDNS_RBAC,
        "resolv.conf": f"nameserver {names.node_address}\n",
    }
    for name, text in texts.items():
        _settle(names.config / name, text)
    _settle(names.state / "cni-conf" / "10-pods.conflist", json.dumps(_cni(names), indent=1))


def _settle(path: Path, text: str) -> None:
    # kube-proxy exits, by design, when its file is written, whatever the content.
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _containerd() -> str:
    program = debs.package("containerd") / "usr/bin/containerd"
    answer = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    match = re.search(r"\bv?(\d+)\.\d+\.\d+", answer)
    plugins = debs.package("containernetworking-plugins") / "usr/lib/cni"
    # restrict_oom_score_adj: without CAP_SYS_RESOURCE no sandbox starts otherwise.
    if match and match[1] == "1":
        return f"""\
version = 2
[grpc]
  address = '/run/containerd/containerd.sock'
[plugins.'io.containerd.grpc.v1.cri']
  sandbox_image = '{PAUSE}'
  restrict_oom_score_adj = true
  [plugins.'io.containerd.grpc.v1.cri'.cni]
    bin_dir = '{plugins}'
    conf_dir = '/etc/cni/net.d'
"""
    return f"""\
version = 3
[grpc]
  address = '/run/containerd/containerd.sock'
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = '{PAUSE}'
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ['{plugins}']
    conf_dir = '/etc/cni/net.d'
"""


def _kubelet(names: Names) -> dict[str, Any]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{names.mark}",
        # cAdvisor's series lose their labels with a socket anywhere else.
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "tlsCertFile": str(names.pki / "kubelet-server.crt"),
        "tlsPrivateKeyFile": str(names.pki / "kubelet-server.key"),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(names.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "healthzBindAddress": names.node_address,
        "clusterDomain": "cluster.local",
        "clusterDNS": [names.node_address],
        "resolvConf": str(names.config / "resolv.conf"),
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "maxOpenFiles": 20000 if hard == resource.RLIM_INFINITY else min(hard, 20000),
        "maxPods": 240,
        # Imported images cannot be pulled again, so none may be collected.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {
            "memory.available": "200Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
            "nodefs.inodesFree": "1%",
        },
        "serializeImagePulls": False,
    }


def _kube_proxy(names: Names) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "hostnameOverride": names.node,
        "clusterCIDR": names.pods,
        "clientConnection": {"kubeconfig": str(names.config / "kube-proxy.kubeconfig")},
        "healthzBindAddress": f"{names.node_address}:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "oomScoreAdj": 0,
        "conntrack": {"maxPerCore": 0, "min": 0},  # else it wants to raise a sysctl
        "iptables": {"minSyncPeriod": "0s", "syncPeriod": "30s"},
    }


def _scheduler(names: Names) -> dict[str, Any]:
    kubeconfig = str(names.config / "scheduler.kubeconfig")
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "leaderElection": {"leaderElect": False},
        "clientConnection": {"kubeconfig": kubeconfig, "qps": 200, "burst": 400},
    }


def _corefile(names: Names) -> str:
    # The second block: a name outside the cluster is unknown at once, so that a client walks its
    # search list without waiting for a server that does not answer.
    return f"""\
cluster.local:53 in-addr.arpa:53 {{
    bind {names.node_address}
    errors
    health {names.node_address}:8091
    ready {names.node_address}:8181
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {names.config}/coredns.kubeconfig
        ttl 5
    }}
}}
.:53 {{
    bind {names.node_address}
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
"""


def _cni(names: Names) -> dict[str, Any]:
    bridge = {
        "type": "bridge",
        "bridge": "pods0",
        "isGateway": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": names.pods}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": [bridge, portmap]}
