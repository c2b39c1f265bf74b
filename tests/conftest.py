"""What many tests share: one real kube-apiserver a session, for those marked `apiserver`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e.cluster.controlplane import ControlPlane
from tests.apiserver.crds import define_merit


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """etcd and kube-apiserver with the CRD. What is missing is built; ends with the session."""
    with ControlPlane(tmp_path_factory.mktemp("control-plane")) as running:
        define_merit(running)
        yield running
