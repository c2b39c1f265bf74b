"""The kinds that the operator needs, and objects that kubectl applies."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from e2e.cluster.controlplane import ControlPlane
from e2e.cluster.paths import ClusterError
from e2e.dataplane.apply import GATEWAY_API, module

ROOT = Path(__file__).parents[2]
CRD = ROOT / "crds" / "merit.dev_modeldeployments.yaml"


def define_merit(plane: ControlPlane) -> None:
    """Apply the CRD, and wait until it is served."""
    _define(plane, CRD)


def define_gateway_api(plane: ControlPlane) -> None:
    """Apply Gateway API's HTTPRoute, from the module that the data plane uses, and wait."""
    folder = module(GATEWAY_API) / "config/crd/standard"
    _define(plane, folder / "gateway.networking.k8s.io_httproutes.yaml")


def apply(plane: ControlPlane, manifest: dict[str, Any], *flags: str) -> str:
    """What `kubectl apply --server-side` prints; ClusterError if it is refused."""
    return plane.kubectl("apply", "--server-side", *flags, "-f", "-", stdin=json.dumps(manifest))


def _define(plane: ControlPlane, crd: Path) -> None:
    plane.kubectl("apply", "--server-side", "-f", str(crd))
    for attempt in range(600):
        try:
            plane.kubectl("wait", "--for=condition=Established", "-f", str(crd), "--timeout=120s")
            return
        except ClusterError:
            if attempt == 599:
                raise
            time.sleep(0.1)  # kubectl fails at once while there is no condition yet
