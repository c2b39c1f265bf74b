"""What the demo runs on: cluster, images, data plane and operator."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml

from e2e.cluster import build
from e2e.cluster.local import LocalCluster
from e2e.cluster.provider import Cluster
from e2e.dataplane.apply import apply as apply_data_plane
from e2e.demo.kubectl import DemoError, Kubectl
from e2e.demo.model import NAME, NAMESPACE
from e2e.images.build import SUITE, image, names

CHART = Path(__file__).parents[2] / "charts" / "merit"
OPERATOR_NAMESPACE = "merit-system"
SCRAPE = "5s"
TICK = "5s"  # between two polls at what is live
DRIFT_WINDOWS = ["1m", "5m"]  # instead of 1h, 6h, 24h


class Environment:
    """Brings up what the demo plays on. `left` says what is running, for whoever stops early."""

    def __init__(self, cluster: Cluster) -> None:
        self.on = cluster
        self._images: dict[str, str] = {}
        self._namespaces: list[str] = []
        self.left: list[str] = []
        self.kubectl = Kubectl(["kubectl"])

    def cluster(self) -> None:
        """The cluster, and the kubectl that speaks to it."""
        if isinstance(self.on, LocalCluster):
            # From here on parts of it may run, also when it is stopped half-way.
            self.left.append(f"the bundled cluster {self.on.names.n}")
        self.on.up()
        own = None if isinstance(self.on, LocalCluster) else shutil.which("kubectl")
        program = own or str(build.component("kubectl"))
        self.kubectl = Kubectl([program, "--kubeconfig", str(self.on.kubeconfig())])

    def images(self, also: Sequence[str] = ()) -> None:
        """Every image of the demo and `also`, built if missing, and where the cluster finds it."""
        wanted = [name for name in names() if name not in SUITE or name in also]
        self._images = self.on.load_images([image(name)[1] for name in wanted])

    def data_plane(self) -> None:
        """Gateway, Envoy and Prometheus."""
        self.left.append("the gateway (namespace gateways) and Prometheus (namespace monitoring)")
        apply_data_plane(self.kubectl.command, self.manifest)

    def operator(self) -> None:
        """Merit by its own chart, both replicas ready."""
        self.left.append(f"the operator (namespace {OPERATOR_NAMESPACE})")
        # What a killed helm leaves makes every later one refuse.
        pending = "owner=helm,name=merit,status in (pending-install,pending-upgrade)"
        self.kubectl("-n", OPERATOR_NAMESPACE, "delete", "secret", "--selector", pending)
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as values:
            yaml.safe_dump(self._values(), values)
            values.flush()
            done = subprocess.run(
                [
                    *(str(build.binary("helm")), "upgrade", "--install", "merit", str(CHART)),
                    *("--kubeconfig", str(self.on.kubeconfig())),
                    *("--namespace", OPERATOR_NAMESPACE, "--create-namespace"),
                    *("--values", values.name, "--wait", "--timeout", "180s"),
                ],
                capture_output=True,
                text=True,
            )
        if done.returncode:
            pods = self.kubectl("-n", OPERATOR_NAMESPACE, "get", "pods")
            raise DemoError(f"the operator was not installed: {done.stderr.strip()}\n{pods}")

    def clean(self, namespace: str) -> None:
        """An empty namespace: an earlier demo's object, traffic, records and ledger go."""
        self._namespaces.append(namespace)
        self.left.append(f"a model and its traffic (namespace {namespace})")
        manifest = yaml.safe_dump(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        )
        self.kubectl("apply", "-f", "-", given=manifest)
        for what in (f"mdep/{NAME}", "deployment/traffic"):
            self.kubectl(
                *("-n", namespace, "delete", what, "--ignore-not-found", "--cascade=foreground"),
                *("--wait", "--timeout=120s"),
                patience=130,
            )
        self.kubectl("-n", namespace, "delete", "configmap", "--selector", f"merit.dev/name={NAME}")

    def manifest(self, text: str) -> str:
        """A manifest's text with the names under which this cluster has the images."""
        for name, here in self._images.items():
            text = text.replace(f"image: {name}\n", f"image: {here}\n")
        return text

    def ending(self) -> tuple[str, str]:
        """Two commands to copy: how to look around, how to take it down."""
        look = f"-n {NAMESPACE} describe mdep {NAME}"
        if isinstance(self.on, LocalCluster):
            n = self.on.names.n
            number = "" if n == 1 else f"MERIT_N={n} "
            return f'{number}make cluster-kubectl ARGS="{look}"', f"{number}make cluster-down"
        gone = f"helm uninstall merit --namespace {OPERATOR_NAMESPACE}"
        if self._namespaces:
            gone = f"kubectl delete namespace {' '.join(self._namespaces)} && {gone}"
        return f"kubectl {look}", gone

    def _named(self, image: str) -> str:
        """The name of an image by its content: new code is a new tag."""
        return next(
            here
            for name, here in self._images.items()
            if f"/{image}:" in name and not name.endswith(":dev")
        )

    def _values(self) -> dict[str, object]:
        # By its key, not by `dev`: new code is a new tag, so the pods are replaced.
        repository, _, tag = self._named("operator").rpartition(":")
        source = {
            "prometheus": {"url": "http://prometheus.monitoring:9090"},
            "preset": "contour-envoy",
            "matchers": {"job": "envoy"},
            "server": "prometheus-client",
            "serverMatchers": {"job": "model"},
            "queries": {"namespaces": ["*"]},
        }
        prices = {"currency": "USD", "cpuHour": "0.032", "memoryGiBHour": "0.0043"}
        return {
            "image": {"repository": repository, "tag": tag},
            "config": {
                "metrics": {"default": "contour", "sources": {"contour": source}},
                "alerts": {"alertmanager": {"url": "http://alertmanager.monitoring:9093"}},
                "images": {"tools": self._named("tools")},
                "prices": {"default": prices},
                "judgement": {"scrape": SCRAPE},
                "tick": {"fast": "5s", "live": TICK},
                "drift": {"windows": DRIFT_WINDOWS, "every": "15s"},
            },
        }
