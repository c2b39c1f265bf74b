"""The operator's own client of the real API server, and a stage on it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from e2e.cluster.controlplane import ControlPlane
from e2e.dataplane.apply import GATEWAY_API, module
from merit.cluster.client import Cluster
from tests.apiserver.stage import Stage
from tests.conftest import define

CRDS = "config/crd/standard"


@pytest.fixture(scope="session")
def gateway_api(control_plane: ControlPlane) -> ControlPlane:
    """The API server with Gateway API's own kinds, from the module that the data plane uses."""
    routes = str(module(GATEWAY_API) / CRDS / "gateway.networking.k8s.io_httproutes.yaml")
    define(control_plane, routes)
    return control_plane


@pytest_asyncio.fixture
async def stage(
    gateway_api: ControlPlane, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> AsyncIterator[Stage]:
    """A namespace of its own with the world's actors in it."""
    name = "s-" + re.sub("[^a-z0-9]+", "-", request.node.name.lower())[-50:].strip("-")
    gateway_api.kubectl("create", "namespace", name)
    monkeypatch.setenv("KUBECONFIG", str(gateway_api.kubeconfig))
    client = await Cluster.connect()
    made = Stage(gateway_api, client, name)
    yield made
    made.api.close()
    await client.close()
