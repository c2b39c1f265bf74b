"""What many tests share: one real kube-apiserver a session, for those marked `apiserver`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.cluster.controlplane import ControlPlane
from e2e.cluster.paths import ClusterError

ROOT = Path(__file__).parent.parent
CRD = ROOT / "crds" / "merit.dev_modeldeployments.yaml"


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """etcd and kube-apiserver with the CRD; builds what is missing, ends with the session."""
    with ControlPlane(tmp_path_factory.mktemp("control-plane")) as running:
        define(running, str(CRD))
        yield running


def define(plane: ControlPlane, crd: str) -> None:
    """Apply a CRD, by file, and wait until it is served."""
    plane.kubectl("apply", "--server-side", "-f", crd)
    for attempt in range(50):
        try:
            plane.kubectl("wait", "--for=condition=Established", "-f", crd, "--timeout=30s")
            return
        except ClusterError:
            if attempt == 49:
                raise
            time.sleep(0.1)  # kubectl gives up at once while there is no condition yet
