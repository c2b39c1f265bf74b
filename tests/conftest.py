"""What many tests share: one real kube-apiserver a session, for those marked `apiserver`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.cluster.controlplane import ControlPlane

ROOT = Path(__file__).parent.parent
CRD = ROOT / "crds" / "merit.dev_modeldeployments.yaml"


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """etcd and kube-apiserver with the CRD; builds what is missing, ends with the session."""
    with ControlPlane(tmp_path_factory.mktemp("control-plane")) as running:
        running.kubectl("apply", "--server-side", "-f", str(CRD))
        running.kubectl("wait", "--for=condition=Established", "-f", str(CRD), "--timeout=30s")
        yield running
