"""Brings the data plane up on a cluster that has its images, and waits until it carries traffic.

The CRDs of Gateway API and Contour are not copied here: they are taken from the Go modules of the
very versions in use, which the build of Contour has fetched anyway.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from e2e.cluster import golang
from e2e.cluster.paths import ClusterError, cache_root, say

HERE = Path(__file__).parent
IMAGES = ("contour", "envoy", "prometheus", "alertmanager")
RULES = HERE.parents[1] / "charts/merit/files/rules.yaml"
GATEWAY_API = "sigs.k8s.io/gateway-api@v1.4.1"
CONTOUR = "github.com/projectcontour/contour@v1.33.8"
TIMEOUT = "120s"


def as_is(text: str) -> str:
    """For a cluster that has the images under the names of the manifests."""
    return text


def apply(kubectl: Sequence[str], manifest: Callable[[str], str] = as_is) -> None:
    """Applies everything by `kubectl` (the command and its options) and waits for readiness.

    `manifest` makes a file's text fit the cluster: the names under which it has the images.

    Raises ClusterError with kubectl's own words when something is refused or does not get ready.
    """

    def run(*arguments: str, given: str = "") -> None:
        result = subprocess.run([*kubectl, *arguments], input=given, capture_output=True, text=True)
        if result.returncode:
            said = (result.stderr + result.stdout).strip()
            raise ClusterError(f"kubectl {' '.join(arguments)}: {said}")

    server_side = ("apply", "--server-side", "--force-conflicts", "-f")
    run(*server_side, str(module(GATEWAY_API) / "config/crd/standard"))
    run(*server_side, str(module(CONTOUR) / "examples/contour/01-crds.yaml"))
    run("wait", "--for=condition=Established", f"--timeout={TIMEOUT}", "crd", "--all")
    for name in ("contour", "envoy", "gateway", "prometheus", "alertmanager"):
        run(*server_side, "-", given=manifest((HERE / f"{name}.yaml").read_text()))
    run(*server_side, "-", given=json.dumps(_rules()))
    for namespace, name in (
        ("gateways", "contour"),
        ("gateways", "envoy"),
        ("monitoring", "prometheus"),
        ("monitoring", "alertmanager"),
    ):
        run("-n", namespace, "rollout", "status", f"deployment/{name}", f"--timeout={TIMEOUT}")
    wait = ("wait", f"--timeout={TIMEOUT}", "gateway/public")
    run("-n", "gateways", *wait, "--for=condition=Programmed")
    say("data plane ready: Gateway gateways/public, Prometheus monitoring/prometheus:9090")


def _rules() -> dict[str, object]:
    """The chart's alerts about the operator, for a Prometheus without the Prometheus operator."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "prometheus-rules", "namespace": "monitoring"},
        "data": {"merit.yaml": RULES.read_text()},
    }


def module(pinned: str) -> Path:
    """The directory of a Go module, downloaded if no build has done so."""
    directory = cache_root() / "go-mod" / pinned
    if directory.is_dir():
        return directory
    with tempfile.TemporaryDirectory() as elsewhere:  # no go.mod of a checkout has a say
        result = subprocess.run(
            [golang.toolchain(), "mod", "download", "-json", pinned],
            cwd=elsewhere,
            env=golang.environment(),
            capture_output=True,
            text=True,
        )
    if result.returncode:
        raise ClusterError(f"go mod download {pinned}: {result.stderr or result.stdout}")
    return Path(json.loads(result.stdout)["Dir"])
