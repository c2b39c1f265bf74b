"""A namespace, a client and a stage on the session's API server."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from e2e.cluster.controlplane import ControlPlane
from merit.kube.client import Cluster
from tests.apiserver.account import ACCOUNT, NARROW, prepare
from tests.apiserver.crds import define_gateway_api
from tests.apiserver.stage import Stage


@pytest.fixture(scope="session")
def gateway_api(control_plane: ControlPlane) -> ControlPlane:
    """The session's API server, with Gateway API's HTTPRoute."""
    define_gateway_api(control_plane)
    return control_plane


@pytest.fixture(scope="session")
def confined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """An API server with an audit log, and the chart's rights and policies for two operators."""
    groups = ("system:serviceaccounts", "system:authenticated")
    tokens = {ACCOUNT: groups, NARROW: groups}
    with ControlPlane(tmp_path_factory.mktemp("rights"), tokens=tokens, audit=True) as running:
        prepare(running)
        yield running


@pytest.fixture
def namespace(control_plane: ControlPlane, request: pytest.FixtureRequest) -> str:
    """A namespace of the test's own, named after it."""
    name = "t-" + re.sub("[^a-z0-9]+", "-", request.node.name.lower())[-50:].strip("-")
    control_plane.kubectl("create", "namespace", name)
    return name


@pytest_asyncio.fixture
async def cluster(
    control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Cluster]:
    """The operator's own client, connected to the session's API server."""
    monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig))
    client = await Cluster.connect()
    yield client
    await client.close()


@pytest.fixture
def stage(gateway_api: ControlPlane, cluster: Cluster, namespace: str) -> Iterator[Stage]:
    """The test's namespace with the world's actors and an operator in it."""
    made = Stage(gateway_api, cluster, namespace)
    yield made
    made.api.close()
