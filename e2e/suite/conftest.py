"""The environment of all tests: cluster, images, data plane, the operator from its own chart."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e.cluster.provider import chosen
from e2e.demo.environment import Environment
from e2e.images.build import SUITE
from e2e.suite.workspace import Workspace


@pytest.fixture(scope="session")
def environment() -> Environment:
    """Everything that is there before the first model. It is left running."""
    found = Environment(chosen())
    found.cluster()
    found.images(SUITE)
    found.data_plane()
    found.operator()
    return found


@pytest.fixture
def workspace(environment: Environment, request: pytest.FixtureRequest) -> Iterator[Workspace]:
    """A namespace named after the test."""
    name = request.node.originalname.removeprefix("test_").replace("_", "-")[:30].strip("-")
    found = Workspace(environment.kubectl, environment.manifest, name)
    found.begin()
    yield found
    found.end()
